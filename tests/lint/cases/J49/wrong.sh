#!/bin/bash
#SBATCH --requeue
./simulate
