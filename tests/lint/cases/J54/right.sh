#!/bin/bash
#SBATCH --job-name="my fit"   # a name
hostname
