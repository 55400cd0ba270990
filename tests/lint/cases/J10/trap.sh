#!/bin/bash
#SBATCH --nodes=4
srun python serial.py
