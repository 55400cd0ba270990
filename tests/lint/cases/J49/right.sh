#!/bin/bash
#SBATCH --requeue --open-mode=append
./simulate
