#!/bin/bash
#SBATCH -p debug
#SBATCH --time=4:00:00
hostname
