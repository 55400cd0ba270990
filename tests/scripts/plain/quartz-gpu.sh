#!/bin/bash
# train: 1 core and 1 GPU of a node for 1 h, at quartz.
# To send it: sbatch train.sh
#SBATCH --job-name=train
#SBATCH --account=lab
#SBATCH --partition=h100-single
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --gres=gpu:h100:1
#SBATCH --time=0-01:00:00
#SBATCH --output=train-%j.out
# Memory: the default of quartz, unknown here (--memory asks for more or less).

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# The environment with your packages.
source "$(conda info --base)/etc/profile.d/conda.sh"
conda activate torch

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# Python writes to the log at once, and not when it ends.
export PYTHONUNBUFFERED=1

# What the job does.
python train.py
