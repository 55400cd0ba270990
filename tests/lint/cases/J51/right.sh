#!/bin/bash
#SBATCH --ntasks=1
python -u fit.py
