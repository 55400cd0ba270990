#!/bin/bash
#SBATCH --mem=4G
#SBATCH -n 2
#SBATCH --export=A=1,B=2
hostname
