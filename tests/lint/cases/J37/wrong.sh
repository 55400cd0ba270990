#!/bin/bash
#SBATCH --array=0-20000
echo "$SLURM_ARRAY_TASK_ID"
