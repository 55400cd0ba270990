#!/bin/bash
#SBATCH --out=fit.out --err fit.err --depend=singleton -n4
#SBATCH --container-image=ubuntu
#SBATCH --clusters=all --tres-per-task=cpu:1
hostname
