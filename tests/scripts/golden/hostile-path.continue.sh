#!/bin/bash
#SBATCH --job-name=coverage-next
#SBATCH --partition=general
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=600M
#SBATCH --time=0-00:15:00
#SBATCH --requeue
#SBATCH --open-mode=append

# Starts when the jobs of wave $1 have ended, whether they failed or not, and submits another wave for the
# tasks without a result. It needs no other program or login.

# The program takes the place of this shell, so its exit status is the job's.
exec /opt/packhorse/bin/python -S -E '/home/ada/it'"'"'s "my" study --really $(x) `y` \ %a λ→ü/runs/coverage/worker.pyz' continue '/home/ada/it'"'"'s "my" study --really $(x) `y` \ %a λ→ü/runs/coverage' "$1" \
    --seconds 840
