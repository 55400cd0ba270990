#!/bin/bash
#SBATCH --array=1-10
#SBATCH --ntasks=1
#SBATCH --mail-type=FAIL
echo "$SLURM_ARRAY_TASK_ID"
