#!/bin/bash
#SBATCH --output=out-%j.txt
hostname
