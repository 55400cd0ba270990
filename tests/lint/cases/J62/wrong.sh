#!/bin/bash
#SBATCH --array=1-3
python fit.py $SLURM_ARRAY_TASKID
