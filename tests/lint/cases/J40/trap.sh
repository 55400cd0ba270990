#!/bin/bash
#SBATCH --mail-type=END
#SBATCH --mail-user=myers
hostname
