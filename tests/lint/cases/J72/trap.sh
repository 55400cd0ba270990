#!/bin/bash
#SBATCH --partition=parallel --ntasks=1 --cpus-per-task=4
./simulate
