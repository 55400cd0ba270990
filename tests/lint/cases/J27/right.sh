#!/bin/bash
#SBATCH --account=physics --partition=gh --gres=gpu:1 --time=1:00:00
source ~/envs/aarch64/bin/activate
python train.py
