#!/bin/bash
#SBATCH --array=[2,5,10-20:5]%2
#SBATCH --nodes=2-4
#SBATCH --signal=B:USR1@60
#SBATCH --mail-type=end,fail
#SBATCH --open-mode=append
srun echo "$SLURM_ARRAY_TASK_ID"
