#!/bin/bash
#SBATCH --ntasks=1
RScript fit.R
