#!/bin/bash
#SBATCH --output=fit.out
#SBATCH --open-mode=append
./simulate
