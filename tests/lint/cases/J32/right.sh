#!/bin/bash
#SBATCH --ntasks=1
source "$HOME/miniconda3/etc/profile.d/conda.sh"
conda activate fit
python fit.py
