#!/bin/bash
#SBATCH --partition=serial --mem=2G
module add R
Rscript fit.R
