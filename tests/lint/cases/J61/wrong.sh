#!/bin/bash
#SBATCH --array=1-3
python fit.py --out $SLURM_ARRAY_JOB_ID_$SLURM_ARRAY_TASK_ID
