#!/bin/bash
#SBATCH --partition=serial --mem=2G
cd $global_storage/study
tar xzf ~/data.tar.gz
tar czf $global_scratch/results.tar.gz results
