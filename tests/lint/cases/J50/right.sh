#!/bin/bash
#SBATCH --ntasks=1
source ~/.secrets
python fit.py
