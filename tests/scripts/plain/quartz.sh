#!/bin/bash
# fit: 1 core and 8 GB of a node for 2 d, at quartz.
# To send it: sbatch fit.sh
#SBATCH --job-name=fit
#SBATCH --account=lab
#SBATCH --partition=general
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=8192M
#SBATCH --time=2-00:00:00
#SBATCH --output=fit-%j.out

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# Programs that are not there by themselves.
module load r/4.5.1

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"
export MC_CORES="$OMP_NUM_THREADS"

# What the job does.
Rscript fit.R
