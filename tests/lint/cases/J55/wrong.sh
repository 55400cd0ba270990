#!/bin/bash
#SBATCH --array=10-1
#SBATCH --ntasks=0
#SBATCH --mail-type=ABORT
hostname
