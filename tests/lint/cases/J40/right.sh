#!/bin/bash
#SBATCH --mail-user=a.miller@uni.edu
hostname
