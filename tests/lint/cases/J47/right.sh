#!/bin/bash
#SBATCH --array=1-30
source env/bin/activate
python fit.py $SLURM_ARRAY_TASK_ID
