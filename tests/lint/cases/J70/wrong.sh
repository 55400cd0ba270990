#!/bin/bash
#SBATCH --time=1:00:00
cd /N/dc2/scratch/$USER
./simulate
