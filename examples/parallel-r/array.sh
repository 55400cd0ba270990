#!/bin/bash
#SBATCH --array=1-4
#SBATCH --time=00:02:00
#SBATCH --mem=200M
Rscript part.R
