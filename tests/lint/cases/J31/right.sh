#!/bin/bash
#SBATCH --partition=serial --mem=2G
source /etc/profile
module add R
Rscript fit.R
