#!/bin/bash
#SBATCH --array=1-9
python serial.py
