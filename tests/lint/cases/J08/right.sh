#!/bin/bash
#SBATCH --ntasks=1
cd "$SLURM_SUBMIT_DIR"
hostname
