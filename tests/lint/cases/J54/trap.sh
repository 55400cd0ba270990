#!/bin/bash
#SBATCH -N 1 -n 4 --mem 8G   # one node
#SBATCH --cpus-per-task=4# four
#SBATCH	--exclusive
#SBATCH--time=5
#SBATCH
hostname
