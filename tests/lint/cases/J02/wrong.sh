#!/bin/bash
#SBATCH --output=%j/out.txt
hostname
