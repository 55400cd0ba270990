#!/bin/bash
#SBATCH --ntasks=1
conda activate fit
python fit.py
