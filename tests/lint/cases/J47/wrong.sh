#!/bin/bash
#SBATCH --array=1-30
pip install numpy
python fit.py $SLURM_ARRAY_TASK_ID
