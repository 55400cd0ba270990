"""TORQUE's qstat: its questions, its listing of attributes, and its states."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from packhorse.model.command import Command
from packhorse.model.job import Details, EndCause, Ended, Job, JobState
from packhorse.model.queues import QueueState
from packhorse.schedulers.pbs.job_ids import job_id
from packhorse.schedulers.pbs.job_output import token_in
from packhorse.schedulers.pbs.queue import (
    Record,
    chunks,
    details_value,
    ended_value,
    job_value,
    outcome_of,
    selected,
    wait_reason,
)
from packhorse.schedulers.pbs.queues import queue_state
from packhorse.schedulers.quantities import moment

UNSET = ("PBS_QSTAT_*",)
QUEUES = Command(argv=("qstat", "-Q", "-f"))

# qstat(1B) and pbs_job.h. E has ended and its output is being copied; T is being moved to another server.
STATES: dict[str, JobState] = {
    **dict.fromkeys(("Q", "H", "W", "T"), "QUEUED"),
    **dict.fromkeys(("R", "E", "S"), "RUNNING"),
    "C": "GONE",
}
# Exit statuses by which the server says why it ended a job (pbs_job.h, JOB_EXEC_*).
ENDED_BY_SERVER: dict[str, EndCause] = {"-10": "memory", "-11": "timeout", "-12": "timeout", "-4": "node"}

_ROW = re.compile(r"    ([\w.]+) = (.*)")


def user_jobs(user: str) -> Command:
    """Return the question for the numbers of a user's jobs."""
    return Command(argv=("qstat", "-u", user), unset=UNSET)


def job_details(numbers: Iterable[str]) -> list[Command]:
    """Return the questions for all attributes of some jobs and of each element of an array.

    Without -t, the answer to a question for `26[]` has every job of the server; so has that to one without numbers.
    """
    return [
        Command(argv=("qstat", "-f", "-1", "-t", *part), timeout=60.0, unset=UNSET)
        for part in chunks(numbers)
    ]


def records(text: str) -> list[Record]:
    """Return the jobs of `qstat -f` with their attributes."""
    jobs = [(job_id(name), attributes) for name, attributes in _blocks(text, "Job Id: ")]
    return [(job, attributes) for job, attributes in jobs if job is not None]


def queues(text: str) -> list[QueueState]:
    """Return the queues of `qstat -Q -f`."""
    return [queue_state(name, attributes) for name, attributes in _blocks(text, "Queue: ")]


def _blocks(text: str, title: str) -> list[tuple[str, dict[str, str]]]:
    """Return what begins with `title`, by name, with its attributes; long values are wrapped with a tab without -1."""
    blocks: list[tuple[str, dict[str, str]]] = []
    for line in text.replace("\n\t", "").splitlines():
        if line.startswith(title):
            blocks.append((line.removeprefix(title).strip(), {}))
        row = _ROW.fullmatch(line)
        if row and blocks:
            blocks[-1][1][row[1]] = row[2].strip()
    return blocks


def state(letter: str) -> JobState:
    """Return what a state letter means; UNKNOWN for any other."""
    return STATES.get(letter, "UNKNOWN")


def jobs(found: Sequence[Record], numbers: Iterable[str]) -> list[Job]:
    """Return the jobs that were asked for, of an array its elements."""
    return [
        job_value(
            job,
            attributes,
            state(attributes.get("job_state", "")),
            reason=wait_reason(attributes, attributes),
            start=moment(attributes.get("start_time", "")),
            token=token_in(attributes.get("Variable_List", "")),
        )
        for job, attributes in selected(found, numbers)
    ]


def ended_jobs(found: Sequence[Record], numbers: Iterable[str]) -> list[Ended]:
    """Return how jobs ended that the server still remembers (keep_completed, pbs_server_attributes(7B))."""
    return [
        ended_value(
            job,
            attributes,
            outcome_of(attributes.get("exit_status", ""), ENDED_BY_SERVER),
            status=attributes.get("exit_status", ""),
            cores=_cores(attributes.get("exec_host", "")),
            end=moment(attributes.get("comp_time", "")),
        )
        for job, attributes in selected(found, numbers)
        if state(attributes.get("job_state", "")) == "GONE"
    ]


def details(found: Sequence[Record], numbers: Iterable[str]) -> list[Details]:
    """Return where jobs work and write."""
    return [
        details_value(
            job, attributes, state(attributes.get("job_state", "")), attributes.get("init_work_dir", "")
        )
        for job, attributes in selected(found, numbers)
    ]


def _cores(hosts: str) -> int | None:
    """Return the number of cores of `n02/0-1+n01/3`."""
    cores = 0
    for host in hosts.split("+"):
        for part in host.partition("/")[2].split(","):
            first, _, last = part.partition("-")
            if first.isdigit():
                cores += int(last or first) - int(first) + 1
    return cores or None
