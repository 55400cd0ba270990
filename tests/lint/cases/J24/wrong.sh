#!/bin/bash
#SBATCH --partition=nosuch
hostname
