#!/bin/bash
#SBATCH --time=1:00:00 --mem=4G
#SBATCH --cpus-per-task=8
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
srun ./simulate
