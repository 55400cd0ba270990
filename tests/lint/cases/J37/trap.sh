#!/bin/bash
#SBATCH --array=9001-9010%2
echo "$SLURM_ARRAY_TASK_ID"
