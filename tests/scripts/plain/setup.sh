#!/bin/bash
# fit: 1 core of a node for 5 h, at testbed.
# To send it: sbatch fit.sh
#SBATCH --job-name=fit
#SBATCH --partition=general
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --time=0-05:00:00
#SBATCH --output=fit-%j.out
# Memory: the default of testbed, 100 MB for each core (--memory asks for more or less).

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# What you want before your commands.
export A='b c'
ulimit -c 0

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# Python writes to the log at once, and not when it ends.
export PYTHONUNBUFFERED=1

# What the job does.
python3 fit.py
