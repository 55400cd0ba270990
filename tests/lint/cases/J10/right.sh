#!/bin/bash
#SBATCH --nodes=1
python serial.py
