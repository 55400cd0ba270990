#!/bin/bash
#SBATCH --ntasks=1
#SBTACH --mem=8G
  #SBATCH --time=10:00
hostname
