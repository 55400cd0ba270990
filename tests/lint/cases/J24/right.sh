#!/bin/bash
#SBATCH --partition=general
hostname
