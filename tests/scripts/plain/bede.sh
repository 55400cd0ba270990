#!/bin/bash
# train: 1 GPU of a node for 2 h, at bede.
# To send it: sbatch train.sh
#SBATCH --job-name=train
#SBATCH --account=bdlan01
#SBATCH --partition=gpu
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gres=gpu:1
#SBATCH --time=0-02:00:00
#SBATCH --output=train-%j.out
# Cores and memory: as many as gpu gives with each GPU.

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${SLURM_CPUS_ON_NODE:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# Python writes to the log at once, and not when it ends.
export PYTHONUNBUFFERED=1

# What the job does.
python train.py
