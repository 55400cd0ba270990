#!/bin/bash
#SBATCH --output=logs/%j.out
hostname
