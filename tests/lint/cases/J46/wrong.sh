#!/bin/bash
#SBATCH --array=1-10
python fit.py $SLURM_ARRAY_TASK_ID
