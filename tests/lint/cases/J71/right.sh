#!/bin/bash
#SBATCH --output=fit_%j.out
./simulate
