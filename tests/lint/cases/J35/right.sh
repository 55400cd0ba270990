#!/bin/bash
#SBATCH --array=1-10
python each.py $SLURM_ARRAY_TASK_ID > printed_$SLURM_ARRAY_TASK_ID.txt
