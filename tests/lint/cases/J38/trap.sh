#!/bin/bash
#SBATCH --array=1-2
#SBATCH --time=1 # a trial
./count $SLURM_ARRAY_TASK_ID
