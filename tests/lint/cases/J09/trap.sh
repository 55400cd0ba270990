#!/bin/bash
#SBATCH --mem=4G
#SBATCH --mail-type=END
#SBATCH --mail-type=FAIL
#SBATCH --mem=4G
#SBATCH -n 2
#SBATCH hetjob
#SBATCH -n 8
hostname
