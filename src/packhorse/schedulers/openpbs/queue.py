"""OpenPBS's qstat: its questions, its JSON, and its states."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from packhorse.model.command import Command
from packhorse.model.job import Details, EndCause, Ended, Job, JobState
from packhorse.model.queues import QueueState
from packhorse.schedulers.pbs.job_ids import Id, job_id
from packhorse.schedulers.pbs.job_output import TOKEN
from packhorse.schedulers.pbs.queue import (
    Attributes,
    Record,
    chunks,
    count,
    details_value,
    ended_value,
    job_value,
    outcome_of,
    selected,
    wait_reason,
)
from packhorse.schedulers.pbs.queues import queue_state
from packhorse.schedulers.quantities import moment

QUEUES = Command(argv=("qstat", "-Q", "-f", "-F", "json"))
ARRAY_BEGAN = "array began"  # the reason of an element that waits while others of its array run
NEVER_RUN = "Subjob finished"  # the comment of an element that was deleted before it began

# qstat(1B). B is an array of which some elements have begun, X an element that has ended while its array goes on, F is
# history, U waits because its user's workstation is busy. M is absent: the job goes on at another server.
STATES: dict[str, JobState] = {
    **dict.fromkeys(("Q", "H", "W", "T", "U"), "QUEUED"),
    **dict.fromkeys(("R", "E", "S", "B"), "RUNNING"),
    **dict.fromkeys(("X", "F"), "GONE"),
}
# Exit statuses by which the server says why it ended a job (pbs_job.h, JOB_EXEC_*).
ENDED_BY_SERVER: dict[str, EndCause] = {
    "-20": "node",
    "-26": "memory",
    "-27": "memory",
    "-28": "timeout",
    "-29": "timeout",
}


def user_jobs(user: str, *, ended: bool) -> Command:
    """Return the question for the numbers of a user's jobs; -x adds those that have ended."""
    return Command(argv=("qstat", *_history(ended=ended), "-u", user))


def job_details(numbers: Iterable[str], *, ended: bool) -> list[Command]:
    """Return the questions for all attributes of some jobs and of each element of an array."""
    argv = ("qstat", *_history(ended=ended), "-f", "-t", "-F", "json")
    return [Command(argv=(*argv, *part), timeout=60.0) for part in chunks(numbers)]


def _history(*, ended: bool) -> tuple[str, ...]:
    return ("-x",) if ended else ()


def records(text: str) -> list[Record] | None:
    """Return the jobs of `qstat -f -F json` with their attributes; None for any other text.

    "Jobs" is absent where there are none.
    """
    found = _blocks(text, "Jobs")
    if found is None:
        return None
    jobs = [(job_id(name), attributes) for name, attributes in found]
    return [(job, attributes) for job, attributes in jobs if job is not None]


def queues(text: str) -> list[QueueState] | None:
    """Return the queues of `qstat -Q -f -F json`; None for any other text."""
    found = _blocks(text, "Queue")
    return None if found is None else [queue_state(name, attributes) for name, attributes in found]


def _blocks(text: str, key: str) -> list[tuple[str, dict[str, str]]] | None:
    try:
        blocks = json.loads(text).get(key, {}).items()
    except (ValueError, AttributeError):
        return None
    return [(name, _flat(attributes)) for name, attributes in blocks if isinstance(attributes, dict)]


def _flat(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return attributes as text under the names that TORQUE has for them: `resources_max.walltime`."""
    flat: dict[str, str] = {}
    for name, value in attributes.items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{name}.{part}" if part else name: str(inner) for part, inner in parts}
    return flat


def state(letter: str) -> JobState:
    """Return what a state letter means; UNKNOWN for any other."""
    return STATES.get(letter, "UNKNOWN")


def jobs(found: Sequence[Record], numbers: Iterable[str]) -> list[Job]:
    """Return the jobs that were asked for, of an array its elements, whose attributes do not name its holds."""
    chosen = selected(found, numbers)
    arrays = {job.number: attributes for job, attributes in chosen if job.array and job.element is None}
    return [
        _job(job, attributes, arrays.get(job.number, attributes))
        for job, attributes in _without_split_arrays(chosen)
    ]


def _without_split_arrays(found: Sequence[Record]) -> list[Record]:
    """Return records without the arrays whose elements have records of their own."""
    split = {job.number for job, _ in found if job.element is not None}
    return [(job, row) for job, row in found if job.element is not None or job.number not in split]


def _job(job: Id, attributes: Attributes, array: Attributes) -> Job:
    letter = attributes.get("job_state", "")
    waits = state(letter) == "QUEUED"
    estimated = attributes.get("estimated.start_time", "") if waits else ""
    began = array is not attributes and array.get("job_state") == "B" and letter == "Q"
    return job_value(
        job,
        attributes,
        state(letter),
        reason=ARRAY_BEGAN if began else wait_reason(attributes, array),
        start=moment(estimated if waits else attributes.get("stime", "")),
        token=attributes.get(f"Variable_List.{TOKEN}", ""),
    )


def ended_jobs(found: Sequence[Record], numbers: Iterable[str]) -> list[Ended]:
    """Return how jobs ended, of arrays their elements: the array's own status does not say it.

    An element that never started may have an exit status, which is not its own.
    """
    return [
        _ended(job, attributes)
        for job, attributes in selected(found, numbers)
        if state(attributes.get("job_state", "")) == "GONE" and not (job.array and job.element is None)
    ]


def _ended(job: Id, attributes: Attributes) -> Ended:
    status = attributes.get("Exit_status", "")
    started = attributes.get("comment") != NEVER_RUN
    return ended_value(
        job,
        attributes,
        outcome_of(status if started else "", ENDED_BY_SERVER),
        status=status,
        cores=count(attributes.get("resources_used.ncpus", "")),
        end=moment(attributes.get("obittime", "")),
    )


def details(found: Sequence[Record], numbers: Iterable[str]) -> list[Details]:
    """Return where jobs work and write, of arrays their elements."""
    return [
        details_value(
            job,
            attributes,
            state(attributes.get("job_state", "")),
            attributes.get("Variable_List.PBS_O_WORKDIR", ""),
        )
        for job, attributes in _without_split_arrays(selected(found, numbers))
    ]
