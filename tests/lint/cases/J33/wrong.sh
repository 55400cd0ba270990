#!/bin/bash
#SBATCH --array=1-20
#SBATCH --output=fit.out
python fit.py "$SLURM_ARRAY_TASK_ID"
