#!/bin/bash
#SBATCH --ntasks=1
python fit.py
module load python/3.11
