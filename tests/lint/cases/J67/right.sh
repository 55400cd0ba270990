#!/bin/bash
#SBATCH --cpus-per-task=8
python pool8.py
