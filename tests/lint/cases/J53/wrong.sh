#!/bin/bash
#SBATCH --workdir=/scratch/me
#SBATCH -j fit
hostname
