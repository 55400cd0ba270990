#!/bin/bash
#SBATCH --partition=parallel --ntasks=1
./simulate
