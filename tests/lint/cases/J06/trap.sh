#! /usr/bin/env bash
#SBATCH --time=10:00
hostname
