#!/bin/bash
#SBATCH --array=1-9
python serial.py "$SLURM_ARRAY_TASK_ID"
