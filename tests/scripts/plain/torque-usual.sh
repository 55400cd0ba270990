#!/bin/bash
# fit: 1 core of a node for 2 h, at the cluster.
# To send it: qsub fit.sh
#PBS -S /bin/bash
#PBS -N fit
#PBS -l nodes=1:ppn=1
#PBS -l walltime=02:00:00
#PBS -j oe
#PBS -m n
# Memory: the default of the cluster, unknown here (--memory asks for more or less).
# Output and errors: fit.oNUMBER, written when the job has ended.

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# A job begins in your home; this is the folder from which you sent it.
cd "$PBS_O_WORKDIR" || exit

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${PBS_NUM_PPN:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# Python writes to the log at once, and not when it ends.
export PYTHONUNBUFFERED=1

# What the job does.
python3 fit.py
