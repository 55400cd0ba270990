#!/bin/bash
#SBATCH --ntasks=8 --nodes=1
python pool.py
