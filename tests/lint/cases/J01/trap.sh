#!/bin/bash
#SBATCH --output=/dev/null
#SBATCH --error=./%x-%j.err
mkdir -p results
hostname
