#!/bin/bash
#SBATCH -A r00123 -p general -t 60 --mem=4G
#SBATCH --array=1-50
python /N/u/$USER/Quartz/code/fit.py --config $HOME/fit.yaml --out fit_$SLURM_ARRAY_TASK_ID.csv
