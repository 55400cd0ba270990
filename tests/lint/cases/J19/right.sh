#!/bin/bash
#SBATCH --partition=serial
#SBATCH --mem=4G
python train.py
