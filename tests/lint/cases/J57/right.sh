#!/bin/bash
#SBATCH --output=%j.out
mkdir -p logs
hostname
