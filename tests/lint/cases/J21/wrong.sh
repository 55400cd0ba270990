#!/bin/bash
#SBATCH --mem=999G
hostname
