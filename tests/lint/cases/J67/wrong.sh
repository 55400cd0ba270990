#!/bin/bash
#SBATCH --cpus-per-task=4
python pool8.py
