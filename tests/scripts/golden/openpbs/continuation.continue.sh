#!/bin/bash
#PBS -S /bin/bash
#PBS -N coverage-next
#PBS -q general
#PBS -l select=1:ncpus=1:mem=600mb
#PBS -l walltime=00:15:00
#PBS -r y
#PBS -j oe
#PBS -m n

# Starts when the jobs of wave $PACKHORSE_WAVE have ended, whether they failed or not, and submits another wave for the
# tasks without a result. It needs no other program or login.

# This scheduler copies a job's output when the job has ended, and starts it in the home folder with a login PATH.
# These lines write the output at once, and restore the folder and the PATH of the submission.
exec >>/home/ada/study/runs/coverage/waves/continue-"$PACKHORSE_WAVE".out 2>&1
cd "${PBS_O_WORKDIR:-.}" || exit
export PATH="${PBS_O_PATH:-$PATH}"

trap 'echo "packhorse: the job ended before its program started; the lines above say why" >&2' EXIT

# What every job on this site does first.
source /etc/profile

# The program takes the place of this shell, so its exit status is the job's.
exec /opt/packhorse/bin/python -S -E /home/ada/study/runs/coverage/worker.pyz continue /home/ada/study/runs/coverage "$PACKHORSE_WAVE" \
    --seconds 840
