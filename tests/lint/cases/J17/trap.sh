#!/bin/bash
#SBATCH --partition=debug,general
#SBATCH --time=1-00:00:00 # longer than debug, but general takes it
hostname
