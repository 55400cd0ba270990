#!/bin/bash
#PBS -S /bin/bash
#PBS -N coverage
#PBS -q general
#PBS -l select=1:ncpus=1
#PBS -l walltime=00:01:00
#PBS -r y
#PBS -j oe
#PBS -M ada@example.org
#PBS -m ea

# Does nothing: the scheduler's mail at its end reports the end of the run.

# The program takes the place of this shell, so its exit status is the job's.
exec false
