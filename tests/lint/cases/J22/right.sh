#!/bin/bash
#SBATCH --partition=parallel --ntasks=32
#SBATCH --exclusive --constraint=node_type=64core256G
mpirun ./simulate
