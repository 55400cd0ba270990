#!/bin/bash
#SBATCH --mem=4G
#SBATCH -n 2
#SBATCH --export=A=1
#SBATCH --export=B=2
#SBATCH --ntasks 4
hostname
