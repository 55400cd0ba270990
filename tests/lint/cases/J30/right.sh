#!/bin/bash
#SBATCH --ntasks=1
module load python/3.11
python fit.py
