#!/bin/bash
#SBATCH --array=1-20
#SBATCH --time=00:30:00
for k in $(seq 100); do
    ./count $((100 * SLURM_ARRAY_TASK_ID + k))
done
