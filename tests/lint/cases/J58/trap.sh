#!/bin/bash
#SBATCH --time=00:30:00 # at most 2 hours here
#SBATCH --mem=16G # 16 GB of 128 GB
#SBATCH -n 2 # 30 minutes
hostname
