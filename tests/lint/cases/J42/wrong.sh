#!/bin/bash
#SBATCH --time=1:00:00
OUT=$TMPDIR/fit.csv
python fit.py --out "$OUT"
