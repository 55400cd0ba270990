#!/bin/bash
#SBATCH --ntasks=1
##SBATCH --mem=8G
# #SBATCH --mem=16G
#xSBATCH --mem=4G
# SBATCH -n 4
#PBS -l nodes=1
hostname
