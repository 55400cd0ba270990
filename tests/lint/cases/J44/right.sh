#!/bin/bash
#SBATCH --ntasks=1
set -o pipefail
python fit.py | tee fit.log
