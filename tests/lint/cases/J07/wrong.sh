#!/bin/bash
#SBATCH --output=$HOME/logs/%j.out
hostname
