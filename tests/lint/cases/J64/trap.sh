#!/bin/bash
#SBATCH --array=1-3
rates=(none 0.1 0.2 0.5)
python fit.py --rate ${rates[$SLURM_ARRAY_TASK_ID]}
short=(a b c)
python fit.py ${short[$((SLURM_ARRAY_TASK_ID - 1))]}
grown=()
for k in 1 2 3 4; do grown+=("$k"); done
python fit.py ${grown[$SLURM_ARRAY_TASK_ID]}
files=(data/*.csv)
python fit.py "${files[$SLURM_ARRAY_TASK_ID]}" "${short[$((SLURM_ARRAY_TASK_ID % 3))]}"
