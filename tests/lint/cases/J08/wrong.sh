#!/bin/bash
#SBATCH --ntasks=1
cd $PBS_O_WORKDIR
hostname
