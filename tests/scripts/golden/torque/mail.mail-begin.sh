#!/bin/bash
#PBS -S /bin/bash
#PBS -N coverage__began
#PBS -q general
#PBS -W depend=after:{job}
#PBS -l nodes=1:ppn=1
#PBS -l walltime=00:01:00
#PBS -r y
#PBS -j oe
#PBS -o /dev/null
#PBS -M ada@example.org
#PBS -m b

# Does nothing: the scheduler's mail at its begin reports the begin of the run.

# The program takes the place of this shell, so its exit status is the job's.
exec true
