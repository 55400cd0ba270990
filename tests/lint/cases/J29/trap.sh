#!/bin/bash
#SBATCH --ntasks=1
module purge && module use /apps && module add R
echo "module activate R"
Rscript fit.R
