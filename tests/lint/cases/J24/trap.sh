#!/bin/bash
#SBATCH --part=gpu --gpus=1
hostname
