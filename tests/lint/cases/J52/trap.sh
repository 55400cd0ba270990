#!/bin/bash
#SBATCH --ntasks=1
# was /Users/anna/project
python fit.py --data /scratch/Users/anna/x --url http://host/Users/anna/x
