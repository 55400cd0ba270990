#!/bin/bash
#SBATCH -p debug
#SBATCH --time=5:00:00
hostname
