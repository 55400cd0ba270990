#!/bin/bash
#SBATCH --ntasks=1
python fit.py | tee fit.log
