#!/bin/bash
#SBATCH --array=1-20
#SBATCH --output=fit_%j.out
#SBATCH --error=fit_%j.out
python fit.py "$SLURM_ARRAY_TASK_ID"
