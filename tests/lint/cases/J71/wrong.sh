#!/bin/bash
#SBATCH --output=fit.out
./simulate
