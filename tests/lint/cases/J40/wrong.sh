#!/bin/bash
#SBATCH --mail-user=you@example.com
hostname
