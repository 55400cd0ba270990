#!/bin/bash
#SBATCH --array=0-9
i=$((SLURM_ARRAY_TASK_ID + 1))
arguments=$(sed -n "${i}p" grid.txt)
python fit.py $arguments
