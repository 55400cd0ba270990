#!/bin/bash
#SBATCH --ntasks=1
RScript() { Rscript "$@"; }
RScript fit.R
/opt/Python/bin/python3 fit.py
echo RScript
