#!/bin/bash
#SBATCH --array=0-9
arguments=$(sed -n "${SLURM_ARRAY_TASK_ID}p" grid.txt)
python fit.py $arguments
