#!/bin/bash
#SBATCH --chdir=/scratch/me
#SBATCH -J fit
hostname
