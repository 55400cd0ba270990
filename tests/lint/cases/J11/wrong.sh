#!/bin/bash
#SBATCH --cpus-per-task=8
python serial.py
