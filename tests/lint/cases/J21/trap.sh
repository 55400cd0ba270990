#!/bin/bash
#SBATCH -N 4 --ntasks-per-node=8 --mem 15G# a node has 16
srun hostname
