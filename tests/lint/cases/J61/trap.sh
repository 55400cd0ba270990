#!/bin/bash
#SBATCH --array=1-3
name_=3
python fit.py --out $name_$SLURM_ARRAY_TASK_ID "\$SLURM_JOB_ID_x"
