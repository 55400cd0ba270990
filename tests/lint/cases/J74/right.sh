#!/bin/bash
#SBATCH --time=5-00:00:00
python chain.py
