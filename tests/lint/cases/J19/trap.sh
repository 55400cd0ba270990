#!/bin/bash
#SBATCH --partition=serial
# The site's 500 MB are enough for this one.
python count.py
