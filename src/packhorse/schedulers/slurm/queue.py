"""Jobs from squeue: one call for all of a user's jobs, in a format that works from Slurm 22.05 to 26.05."""

from __future__ import annotations

import re

from packhorse.model.command import Command
from packhorse.model.job import Job
from packhorse.schedulers.slurm.fields import elements, number, state, whole_seconds

# Free text is last: names and comments may contain the separator.
FORMAT = "%F|%K|%i|%T|%r|%S|%M|%l|%N|%j|%k"
COLUMNS = FORMAT.count("|") + 1

# squeue(1) and sacct(1), ENVIRONMENT VARIABLES. SLURM_CLUSTERS would ask another cluster, and SLURM_BITSTR_LEN cuts
# the elements of an array to 64 characters unless it is 0.
UNSET = ("SQUEUE_*", "SACCT_*", "SCANCEL_*", "SLURM_CLUSTERS")
ENV = {"SLURM_TIME_FORMAT": "standard", "SLURM_BITSTR_LEN": "0"}

_TOKEN = re.compile(r"packhorse-[^\s|,;]+")
_ROW = re.compile(r"\d+\|")
_NONE = {"", "None", "N/A", "(null)"}


def squeue(*options: str) -> Command:
    """Return a query of squeue; without --all, jobs in hidden partitions seem to have ended."""
    argv = ("squeue", "--noheader", "--all", *options)
    return Command(argv=argv, env=ENV, unset=UNSET)


def user_jobs(user: str, *options: str) -> Command:
    """Return the question for all jobs of a user, those of an array that wait in one row."""
    return squeue(f"--user={user}", *options, f"--format={FORMAT}")


def rows(text: str) -> list[Job]:
    """Return the jobs of squeue's answer. Other lines are skipped: names may contain line breaks."""
    return [_job(line) for line in text.splitlines() if _ROW.match(line)]


def _job(line: str) -> Job:
    fields = line.split("|", COLUMNS - 1)
    fields += [""] * (COLUMNS - len(fields))
    array, task, shown, word, reason, start, elapsed, limit, node, name, comment = fields
    meaning = state(word)
    token = _TOKEN.search(comment)
    return Job(
        job=array,
        state=meaning,
        word=word,
        element=number(task),
        elements=_count(task, shown),
        reason=_reason(word, reason) if meaning in ("QUEUED", "UNKNOWN") else "",
        start="" if start in _NONE else start,
        elapsed=whole_seconds(elapsed),
        limit=whole_seconds(limit),
        node=node,
        name=name,
        token=token[0] if token else "",
    )


def _count(task: str, shown: str) -> int:
    """Return how many elements a row represents: `85_[2-5%2]` is four."""
    if task in _NONE or number(task) is not None:
        return 1
    inside = shown.partition("[")[2].partition("]")[0] or task
    return max(1, sum(len(part) for part in elements(inside)))


def _reason(word: str, reason: str) -> str:
    """Return the reason of a job that waits; without one, its state may be the reason."""
    if reason not in _NONE:
        return reason
    return "" if word == "PENDING" else word
