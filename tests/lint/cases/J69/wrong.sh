#!/bin/bash
#SBATCH -A r00123 -p general -t 60 --mem=4G
module load python/3.9.8
python fit.py
