#!/bin/bash
#SBATCH --time=1:00:00
cd /N/slate/$USER
./simulate
