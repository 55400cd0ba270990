#!/bin/bash
#SBATCH --time=1:00:00
module load miniforge/20240923 pytorch
python train.py
