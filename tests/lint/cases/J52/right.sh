#!/bin/bash
#SBATCH --ntasks=1
python fit.py
