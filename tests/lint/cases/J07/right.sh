#!/bin/bash
#SBATCH --output=%x-%j.out
hostname "$HOME"
