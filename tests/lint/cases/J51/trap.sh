#!/bin/bash
#SBATCH --ntasks=1
export PYTHONUNBUFFERED=1
Rscript fit.R
python fit.py
