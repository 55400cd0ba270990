#!/bin/bash
#PBS -S /bin/bash
#PBS -N coverage
#PBS -q general
#PBS -l select=1:ncpus=7
#PBS -l walltime=01:00:00
#PBS -r y
#PBS -j oe
#PBS -m n

# One job of a Packhorse run: a worker that runs tasks until none is left, or until its time is nearly over.
# Packhorse submits it as an array: $PACKHORSE_WAVE is the wave, $PACKHORSE_LAST the number of the array's last job.
# Where jobs may not submit jobs, and this one was queued in advance, $PACKHORSE_FOLLOWS is the wave before it.
# The worker sets the number of threads for each task (OMP_NUM_THREADS and the like) to the cores that it requests.

# This scheduler copies a job's output when the job has ended, and starts it in the home folder with a login PATH.
# These lines write the output at once, and restore the folder and the PATH of the submission.
exec >>/home/ada/study/runs/coverage/logs/job-"$PACKHORSE_WAVE"-"${PBS_ARRAY_INDEX:-0}".out 2>&1
cd "${PBS_O_WORKDIR:-.}" || exit
export PATH="${PBS_O_PATH:-$PATH}"

trap 'echo "packhorse: the job ended before its program started; the lines above say why" >&2' EXIT

# What every job on this site does first.
source /etc/profile

# What the study asks for: the first line that fails ends the job.
set -e
packhorse_line() { sed -n "$1p" "$0" 2>/dev/null | grep . || echo "$2"; }
trap 'echo "packhorse: status $? of a line of setup: $(packhorse_line "$LINENO" "$BASH_COMMAND")" >&2' ERR
module load r/4.5.1
module load openblas
export R_LIBS_USER=~/R
ulimit -c 0

# The program takes the place of this shell, so its exit status is the job's.
exec /opt/packhorse/bin/python -S -E /home/ada/study/runs/coverage/worker.pyz work /home/ada/study/runs/coverage"/waves/$PACKHORSE_WAVE/work.json" \
    --element "${PBS_ARRAY_INDEX:-0}" \
    --elements "$((PACKHORSE_LAST + 1))" \
    --owner "${PBS_JOBID/\[*\]/[]}" \
    --follows "${PACKHORSE_FOLLOWS:-0}" \
    --slots 7 \
    --seconds 3600 \
    --scratch "$TMPDIR"
