#!/bin/bash
#SBATCH --ntasks=1
Rscript fit.R
