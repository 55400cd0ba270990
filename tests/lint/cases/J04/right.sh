#!/bin/bash
#SBATCH --ntasks=1
#SBATCH --mem=8G
hostname
