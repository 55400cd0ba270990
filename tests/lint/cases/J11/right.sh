#!/bin/bash
#SBATCH --cpus-per-task=1
python serial.py
