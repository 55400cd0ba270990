#!/bin/bash
# fit: 1 core of a node, at testbed.
# To send it: sbatch fit.sh
#SBATCH --job-name=fit
#SBATCH --partition=general
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --output=fit-%j.out
# Memory: the default of testbed, 100 MB for each core (--memory asks for more or less).
# Time: the default of general, 1 h (--time asks for more or less).

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# Python writes to the log at once, and not when it ends.
export PYTHONUNBUFFERED=1

# What the job does.
python3 fit.py
