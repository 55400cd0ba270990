#!/bin/bash
#SBATCH --array=1-9%1
python serial.py
