#!/bin/bash
#SBATCH --time=00:05:00 # 30 minutes
#SBATCH --mem=4G # 16 GB
hostname
