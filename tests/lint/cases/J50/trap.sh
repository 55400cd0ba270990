#!/bin/bash
#SBATCH --ntasks=1
export WANDB_API_KEY=your_key_goes_in_this_place
export HF_TOKEN=$(cat ~/.token)
python fit.py
