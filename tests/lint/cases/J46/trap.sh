#!/bin/bash
#SBATCH --array=1-10%1
# One task after the other.
python fit.py $SLURM_ARRAY_TASK_ID >> all.csv
