#!/bin/bash
#SBATCH --account=physics --partition=gh --gres=gpu:1 --time=1:00:00
if [ "$HOSTTYPE" = powerpc64le ]; then
    source ~/envs/ppc64le/bin/activate
else
    source ~/envs/aarch64/bin/activate
fi
echo "the results of ppc64le are in another folder"
python train.py
