#!/bin/bash
#PBS -q long # the long queue
  #PBS -l nodes=1:ppn=2,walltime=1:00:00 -l mem=4gb
#PBS-N fit
hostname
