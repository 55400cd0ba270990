#!/bin/bash
# it's "my" $(id) `id` $HOME \ * # 5% {n} λ: 1 core of a node for 5 h, at testbed.
# To send it: sbatch 'it_s_my_id_id_HOME_5_n_λ.sh'
#SBATCH --job-name="it's \"my\" $(id) `id` $HOME \\ * # 5% {n} λ"
#SBATCH --partition=general
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --time=0-05:00:00
#SBATCH --output="it's \"my\" $(id) `id` $HOME  * # 5%% {n} λ"
# Memory: the default of testbed, 100 MB for each core (--memory asks for more or less).

# From here on the first command that fails ends the job, with its exit status.
set -eo pipefail

# Programs that are not there by themselves.
module load 'it'"'"'s "my" $(id) `id` $HOME \ * # 5% {n} λ'

# The environment with your packages.
source 'it'"'"'s "my" $(id) `id` $HOME \ * # 5% {n} λ/bin/activate'

# Libraries start no more threads than the job has cores; by themselves they would take all of a node.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export OPENBLAS_NUM_THREADS="$OMP_NUM_THREADS" MKL_NUM_THREADS="$OMP_NUM_THREADS" NUMEXPR_NUM_THREADS="$OMP_NUM_THREADS"

# What the job does.
printf '%s' 'λ $x'
