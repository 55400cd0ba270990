#!/bin/bash
#SBATCH --job-name = fit
hostname
