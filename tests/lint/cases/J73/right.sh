#!/bin/bash
#SBATCH --time=1:00:00
module load miniforge/20240923
source activate study
python train.py
