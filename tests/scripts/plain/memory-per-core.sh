#!/bin/bash
# make: 8 cores and 500 MB a core of a node, at testbed.
# To send it: sbatch make.sh
#SBATCH --job-name=make
#SBATCH --partition=general
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=500M
#SBATCH --output=make-%j.out
# Time: the default of general, 1 h (--time asks for more or less).

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# What the job does.
make -j 8
