#!/bin/bash
#SBATCH --ntasks=8
python pool.py
