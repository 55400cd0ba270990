#!/bin/bash
#SBATCH --output=%j.out
hostname
