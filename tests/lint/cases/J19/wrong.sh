#!/bin/bash
#SBATCH --partition=serial
python train.py
