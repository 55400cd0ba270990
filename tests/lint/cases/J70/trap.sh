#!/bin/bash
#SBATCH --time=1:00:00
# The data were in /N/dc2/scratch/me until 2020.
./simulate # made for karst.uits.iu.edu
