#!/bin/bash
#SBATCH --mem-per-cpu=4gb
#SBATCH --tmp=0
hostname
