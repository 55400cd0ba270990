#!/bin/bash
#SBATCH --partition=serial --mem=2G
cd $global_scratch/study
tar xzf ~/data.tar.gz -m
unzip -DD ~/more.zip
