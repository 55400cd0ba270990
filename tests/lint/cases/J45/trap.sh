#!/bin/bash
#SBATCH --ntasks=3
python monitor.py &
srun python serve.py &
python fit.py
