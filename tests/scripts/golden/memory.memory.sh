#!/bin/bash
#SBATCH --job-name=coverage
#SBATCH --partition=general
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=12352M
#SBATCH --time=0-12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append

# One job of a Packhorse run: a worker that runs tasks until none is left, or until its time is nearly over.
# Packhorse submits it as an array: $1 is the wave, $2 the number of the array's last job.
# Where jobs may not submit jobs, and this one was queued in advance, $3 is the wave before it.
# The worker sets the number of threads for each task (OMP_NUM_THREADS and the like) to the cores that it requests.

# The program takes the place of this shell, so its exit status is the job's.
exec /opt/packhorse/bin/python -S -E /home/ada/study/runs/coverage/worker.pyz work /home/ada/study/runs/coverage"/waves/$1/work.json" \
    --element "${SLURM_ARRAY_TASK_ID:-0}" \
    --elements "$(($2 + 1))" \
    --restart "${SLURM_RESTART_COUNT:-0}" \
    --owner "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}" \
    --follows "${3:-0}" \
    --slots 2 \
    --seconds 43200
