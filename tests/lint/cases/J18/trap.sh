#!/bin/bash
#SBATCH -t 1-12 # a day and a half
#SBATCH --time-min=90
hostname
