#!/bin/bash
#SBATCH --ntasks=1
echo start | tee fit.log
python fit.py > fit.txt
