#!/bin/bash
#SBATCH --time=1:00:00
trap 'cp "$TMPDIR"/fit.csv results/' EXIT
python fit.py --out $TMPDIR/fit.csv
