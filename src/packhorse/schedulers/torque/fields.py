"""TORQUE's words: states, job numbers, and the listing of `qstat -f`. What it does not know, it says so."""

from __future__ import annotations

import re

from packhorse.model.job import JobState
from packhorse.schedulers.pbs.job_ids import Id, job_id

# qstat(1B) and pbs_job.h. E has ended and its output is being copied; T is on its way to another server.
STATES: dict[str, JobState] = {
    **dict.fromkeys(("Q", "H", "W", "T"), "QUEUED"),
    **dict.fromkeys(("R", "E", "S"), "RUNNING"),
    "C": "GONE",
}

_ROW = re.compile(r"    ([\w.]+) = (.*)")


def state(word: str) -> JobState:
    """Return what a state letter means; UNKNOWN for a foreign one."""
    return STATES.get(word, "UNKNOWN")


def attributes(text: str, head: str) -> list[tuple[str, dict[str, str]]]:
    """Return what begins with `head` in `qstat -f`, by name, with its attributes.

    Long values are wrapped with a tab, unless -1 forbids it.
    """
    found: list[tuple[str, dict[str, str]]] = []
    for line in text.replace("\n\t", "").splitlines():
        if line.startswith(head):
            found.append((line.removeprefix(head).strip(), {}))
        row = _ROW.fullmatch(line)
        if row and found:
            found[-1][1][row[1]] = row[2].strip()
    return found


def records(text: str) -> list[tuple[Id, dict[str, str]]]:
    """Return the jobs of `qstat -f` with their attributes."""
    jobs = [(job_id(name), told) for name, told in attributes(text, "Job Id: ")]
    return [(job, told) for job, told in jobs if job is not None]
