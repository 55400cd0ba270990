#!/bin/bash
#SBATCH --ntasks=1
N=5
echo "$N"
