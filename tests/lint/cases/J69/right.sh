#!/bin/bash
#SBATCH -A r00123 -p general -t 60 --mem=4G
module load python/3.12.4
python fit.py
