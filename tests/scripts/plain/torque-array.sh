#!/bin/bash
# fit: 10 jobs, each with 2 cores and 2 GB a core of a node for 1 h, at the cluster.
# To send it: qsub fit.sh
#PBS -S /bin/bash
#PBS -N fit
#PBS -t 1-10%3
#PBS -W depend=afterok:85
#PBS -l nodes=1:ppn=2
#PBS -l mem=4096mb
#PBS -l walltime=01:00:00
#PBS -j oe
#PBS -m n
# Output and errors: fit.oNUMBER, written when the job has ended.

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# A job begins in your home; this is the folder from which you sent it.
cd "$PBS_O_WORKDIR" || exit

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${PBS_NUM_PPN:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"
export MC_CORES="$OMP_NUM_THREADS"

# What the job does. This is one element of an array; $PBS_ARRAYID is its number.
Rscript fit.R
