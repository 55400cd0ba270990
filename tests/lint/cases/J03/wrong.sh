#!/bin/bash
#SBATCH --ntasks=1
set -euo pipefail
#SBATCH --mem=8G
python fit.py
