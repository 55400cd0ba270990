#!/bin/bash
#SBATCH --time=1:00:00 --mem=4G
python train.py
