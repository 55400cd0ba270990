#!/bin/bash
#SBATCH --ntasks=1
pip install numpy
python fit.py
