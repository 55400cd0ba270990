#!/bin/bash
#SBATCH --job-name="coverage: began"
#SBATCH --partition=general
#SBATCH --dependency="after:{job}"
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=1
#SBATCH --time=0-00:01:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --mail-user=ada@example.org
#SBATCH --mail-type=BEGIN
#SBATCH --output=/dev/null

# Does nothing: the scheduler's mail at its begin reports the begin of the run.

# The program takes the place of this shell, so its exit status is the job's.
exec true
