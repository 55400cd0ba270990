#!/bin/bash
#SBATCH --ntasks=1
#PBS -l nodes=1
cd "${PBS_O_WORKDIR:-$SLURM_SUBMIT_DIR}"
hostname
