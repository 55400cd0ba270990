#!/bin/bash
#SBATCH --array=1-20
#SBATCH --output=fit_%A_%a.out
python fit.py "$SLURM_ARRAY_TASK_ID"
