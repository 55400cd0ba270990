#!/bin/bash
#SBATCH --output=/dev/null
#SBATCH --error=/scratch/%u/err-%j.txt
hostname
