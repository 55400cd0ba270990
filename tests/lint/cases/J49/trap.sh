#!/bin/bash
#SBATCH --no-requeue
./simulate
