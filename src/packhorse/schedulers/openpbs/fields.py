"""OpenPBS's words: states and job numbers, and its JSON. What it does not know, it says so."""

from __future__ import annotations

import json
from typing import Any

from packhorse.model.job import JobState
from packhorse.schedulers.pbs.job_ids import Id, job_id

# qstat(1B). B is an array of which some have begun, X an element that is over while its array goes on, F is history,
# U waits since its user's workstation is busy. M is absent: the job goes on at another server.
STATES: dict[str, JobState] = {
    **dict.fromkeys(("Q", "H", "W", "T", "U"), "QUEUED"),
    **dict.fromkeys(("R", "E", "S", "B"), "RUNNING"),
    **dict.fromkeys(("X", "F"), "GONE"),
}


def state(word: str) -> JobState:
    """Return what a state letter means; UNKNOWN for a foreign one."""
    return STATES.get(word, "UNKNOWN")


def records(text: str) -> list[tuple[Id, dict[str, Any]]] | None:
    """Return the jobs of `qstat -f -F json` with their attributes; None where it is no such answer.

    Where there are none, "Jobs" is absent.
    """
    try:
        said = json.loads(text)
        jobs = said.get("Jobs", {}).items()
    except (ValueError, AttributeError):
        return None
    found = [(job_id(name), told) for name, told in jobs]
    return [(job, told) for job, told in found if job is not None and isinstance(told, dict)]
