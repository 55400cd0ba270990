#!/bin/bash
# fit: 8 cores of a node for 2 h, at penguins.
# To send it: sbatch fit.sh
#SBATCH --job-name=fit
#SBATCH --partition=Penguin
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=0-02:00:00
#SBATCH --output=fit-%j.out
# Memory: the default of penguins, unknown here (--memory asks for more or less).

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# The environment with your packages.
source .venv/bin/activate

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# Python writes to the log at once, and not when it ends.
export PYTHONUNBUFFERED=1

# What the job does.
python fit.py
