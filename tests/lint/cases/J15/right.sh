#!/bin/bash
#SBATCH --time=1:00:00 --mem=4G
#SBATCH --cpus-per-task=8
srun --cpus-per-task=$SLURM_CPUS_PER_TASK ./simulate
