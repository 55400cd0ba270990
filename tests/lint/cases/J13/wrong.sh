#!/bin/bash
#SBATCH --cpus-per-task=4
export OMP_NUM_THREADS=16
python fit.py
