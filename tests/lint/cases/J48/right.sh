#!/bin/bash
#SBATCH --time=1:00:00 --mem=4G
export WANDB_MODE=offline
python train.py
