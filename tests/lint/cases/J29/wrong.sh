#!/bin/bash
#SBATCH --ntasks=1
module activate R
conda load env
Rscript fit.R
