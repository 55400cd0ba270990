#!/bin/bash
#SBATCH -p gpu --gpus=A100:2 --mem=4G
python train.py
