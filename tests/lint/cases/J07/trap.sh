#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --output=$HOME/%j.out
hostname
