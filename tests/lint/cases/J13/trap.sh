#!/bin/bash
#SBATCH --cpus-per-task=4
export OMP_NUM_THREADS=1
python fit.py
