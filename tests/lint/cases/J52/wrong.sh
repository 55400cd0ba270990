#!/bin/bash
#SBATCH --ntasks=1
python /Users/anna/project/fit.py
