#!/bin/bash
#SBATCH --array=1-2000
#SBATCH --time=00:00:30
./count $SLURM_ARRAY_TASK_ID
