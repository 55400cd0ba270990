#!/bin/bash
#SBATCH --partition=gpu
#SBATCH --mem=4G
python train.py
