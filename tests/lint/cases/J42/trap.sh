#!/bin/bash
#SBATCH --time=1:00:00
python prepare.py --out /tmp/$USER.csv
python fit.py --in /tmp/$USER.csv --out fit.csv
