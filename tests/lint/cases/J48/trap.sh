#!/bin/bash
#SBATCH --time=1:00:00 --mem=4G
# train.py reports to wandb; this job only looks at its files.
python plot.py
