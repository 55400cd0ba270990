#!/bin/bash
#SBATCH --array=1-10
mkdir -p task_$SLURM_ARRAY_TASK_ID
cd task_$SLURM_ARRAY_TASK_ID
python ../fit.py $SLURM_ARRAY_TASK_ID > printed.txt
