#!/bin/bash
#SBATCH --partition=parallel --ntasks=32
#SBATCH --mem=60G
mpirun ./simulate
