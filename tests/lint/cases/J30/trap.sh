#!/bin/bash
#SBATCH --ntasks=1
module load python/3.11
python fit.py
module load R/4.3
Rscript plot.R
