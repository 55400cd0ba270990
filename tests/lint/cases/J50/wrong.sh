#!/bin/bash
#SBATCH --ntasks=1
export WANDB_API_KEY=0123456789abcdef0123456789abcdef01234567
python fit.py
