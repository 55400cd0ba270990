#!/bin/bash
#SBATCH --account=physics --partition=gh --gres=gpu:1 --time=1:00:00
source ~/envs/ppc64le/bin/activate
python train.py
