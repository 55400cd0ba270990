#!/bin/bash
#SBATCH --ntasks=3
for k in 1 2 3; do
    srun -n1 python fit.py $k &
done
wait
