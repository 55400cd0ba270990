#!/bin/bash
#SBATCH --output=%j.out
mkdir -p results/a
hostname > results/a/host
