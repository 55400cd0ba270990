#!/bin/bash
#SBATCH --array=0-2
rates=(0.1 0.2 0.5)
python fit.py --rate ${rates[$SLURM_ARRAY_TASK_ID]}
