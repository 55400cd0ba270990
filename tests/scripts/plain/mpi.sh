#!/bin/bash
# hostname: 4 cores on each of 2 nodes, shared by 4 processes, for 5 h, at testbed.
# To send it: sbatch hostname.sh
#SBATCH --job-name=hostname
#SBATCH --partition=general
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=2
#SBATCH --time=0-05:00:00
#SBATCH --output=hostname-%j.out
# Memory: the default of testbed, 100 MB for each core (--memory asks for more or less).

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# Each process of the launcher gets its share of the cores.
export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"

# What the job does.
srun hostname
