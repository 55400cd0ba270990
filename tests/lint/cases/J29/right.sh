#!/bin/bash
#SBATCH --ntasks=1
module load R
Rscript fit.R
