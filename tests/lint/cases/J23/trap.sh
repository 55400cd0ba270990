#!/bin/bash
#SBATCH -A physics -p gpu --gres=gpu:1 -t 60
hostname
