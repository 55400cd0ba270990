#!/bin/bash
#SBATCH --array=1-9
python seeded.py "$SLURM_ARRAY_TASK_ID"
