#!/bin/bash
#SBATCH --array=1-10
arguments=$(sed -n "${SLURM_ARRAY_TASK_ID}p" grid.txt)
python fit.py $arguments
