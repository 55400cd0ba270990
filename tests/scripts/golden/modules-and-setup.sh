#!/bin/bash
#SBATCH --job-name=coverage
#SBATCH --partition=general
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=7
#SBATCH --time=0-01:00:00
#SBATCH --requeue
#SBATCH --open-mode=append

# One job of a Packhorse run: a worker that runs tasks until none is left, or until its time is nearly over.
# Packhorse submits it as an array: $1 is the wave, $2 the number of the array's last job.
# Where jobs may not submit jobs, and this one was queued in advance, $3 is the wave before it.
# The worker sets the number of threads for each task (OMP_NUM_THREADS and the like) to the cores that it requests.

trap 'echo "packhorse: the job ended before its program started; the lines above say why" >&2' EXIT

# What every job on this site does first.
source /etc/profile

# What the study asks for: the first line that fails ends the job.
set -e
packhorse_line() { sed -n "$1p" "$0" 2>/dev/null | grep . || echo "$2"; }
trap 'echo "packhorse: status $? of a line of setup: $(packhorse_line "$LINENO" "$BASH_COMMAND")" >&2' ERR
module load r/4.5.1
module load openblas
export R_LIBS_USER=~/R
ulimit -c 0

# The program takes the place of this shell, so its exit status is the job's.
exec /opt/packhorse/bin/python -S -E /home/ada/study/runs/coverage/worker.pyz work /home/ada/study/runs/coverage"/waves/$1/work.json" \
    --element "${SLURM_ARRAY_TASK_ID:-0}" \
    --elements "$(($2 + 1))" \
    --restart "${SLURM_RESTART_COUNT:-0}" \
    --owner "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}" \
    --follows "${3:-0}" \
    --slots 7 \
    --seconds 3600 \
    --scratch "$TMPDIR"
