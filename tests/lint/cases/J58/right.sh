#!/bin/bash
#SBATCH --time=00:30:00 # 30 minutes
#SBATCH --mem=16G # 16 GB
hostname
