#!/bin/bash
#SBATCH --array=0-9999
echo "$SLURM_ARRAY_TASK_ID"
