#!/bin/bash -l
#SBATCH --ntasks=1
conda activate fit
python fit.py
