#!/bin/bash
#SBATCH --partition=parallel --ntasks=32
#SBATCH --exclusive --mem=200G
mpirun ./simulate
