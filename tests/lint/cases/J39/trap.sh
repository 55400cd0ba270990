#!/bin/bash
#SBATCH --array=1-3
#SBATCH --mail-type=NONE
python fit.py $SLURM_ARRAY_TASK_ID
