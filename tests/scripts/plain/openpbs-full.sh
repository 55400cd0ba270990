#!/bin/bash
# solve: 8 cores, 1 GPU and 4 GB on each of 2 nodes, shared by 4 processes, for 3 d, at the cluster.
# To send it: qsub solve.sh
#PBS -S /bin/bash
#PBS -N solve
#PBS -A lab
#PBS -q batch
#PBS -l select=2:ncpus=8:mpiprocs=2:mem=4096mb:ngpus=1
#PBS -l place=scatter
#PBS -l walltime=72:00:00
#PBS -j oe
#PBS -M ada@example.org
#PBS -m ea
# Output and errors: solve.oNUMBER, written when the job has ended.

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# A job begins in your home; this is the folder from which you sent it.
cd "$PBS_O_WORKDIR" || exit

# Programs that are not there by themselves.
module load r

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="4"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# What the job does.
mpirun ./solve
