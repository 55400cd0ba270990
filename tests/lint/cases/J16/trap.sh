#!/bin/bash
#SBATCH -t 5 -n 1
hostname
