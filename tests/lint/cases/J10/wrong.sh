#!/bin/bash
#SBATCH --nodes=4
python serial.py
