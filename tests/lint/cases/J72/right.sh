#!/bin/bash
#SBATCH --partition=serial --ntasks=1
./simulate
