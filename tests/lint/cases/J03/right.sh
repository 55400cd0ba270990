#!/bin/bash
#SBATCH --ntasks=1

# a comment
#SBATCH --mem=8G
set -euo pipefail
python fit.py
