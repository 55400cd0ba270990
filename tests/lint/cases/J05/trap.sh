#!/bin/bash
#SBATCH --time=10:00 # – at most
#SBATCH --job-name=größe
echo "naïve – “quoted”"
