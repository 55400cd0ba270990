#!/bin/bash
#SBATCH --mem=8G --cpus-per-task=8
hostname
