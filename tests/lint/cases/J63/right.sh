#!/bin/bash
#SBATCH --ntasks=1
python a.py
