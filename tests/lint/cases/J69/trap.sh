#!/bin/bash
#SBATCH -A r00123 -p general -t 60 --mem=4G
module load gcc/13.2 python r/4.5.1
module load r/$VERSION
python fit.py
