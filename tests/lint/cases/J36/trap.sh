#!/bin/bash
#SBATCH --array=1-9
python draw.py "$SLURM_ARRAY_TASK_ID"
