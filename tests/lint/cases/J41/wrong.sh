#!/bin/bash
#SBATCH -A r00123 -p general -t 60 --mem=4G
#SBATCH --array=1-50
python fit.py --out /N/u/$USER/Quartz/results/$SLURM_ARRAY_TASK_ID.csv $SLURM_ARRAY_TASK_ID
