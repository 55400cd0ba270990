"""TORQUE's qstat: its questions, its listing of attributes, and its states."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from packhorse.model.command import Command
from packhorse.model.job import Details, EndCause, Ended, Job, JobState
from packhorse.model.queues import QueueState
from packhorse.schedulers.pbs.job_ids import Id, job_id
from packhorse.schedulers.pbs.job_output import token_in
from packhorse.schedulers.pbs.queue import (
    Attributes,
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
NODES = Command(argv=("pbsnodes", "-l"))  # those that are down, offline or unknown; pbsnodes(8B)
OVERDUE_SECONDS = 300  # past its limit, after which the node of a job that still runs is asked for

# qstat(1B) and pbs_job.h. E has ended and its output is being copied; T is being moved to another server.
STATES: dict[str, JobState] = {
    **dict.fromkeys(("Q", "H", "W", "T"), "QUEUED"),
    **dict.fromkeys(("R", "E", "S"), "RUNNING"),
    "C": "GONE",
}
# Exit statuses by which the server says why it ended a job (pbs_job.h, JOB_EXEC_*).
ENDED_BY_SERVER: dict[str, EndCause] = {"-10": "memory", "-11": "timeout", "-12": "timeout", "-4": "node"}

# In these attributes TORQUE counts down; a negative number is past the limit.
_LEFT = ("Walltime.Remaining", "Walltime.Exceeded")
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
    return [_job(job, attributes) for job, attributes in selected(found, numbers)]


def _job(job: Id, attributes: Attributes) -> Job:
    value = job_value(
        job,
        attributes,
        state(attributes.get("job_state", "")),
        reason=wait_reason(attributes, attributes),
        start=moment(attributes.get("start_time", "")),
        token=token_in(attributes.get("Variable_List", "")),
    )
    return replace(value, overdue=_overdue(attributes))


def _overdue(attributes: Attributes) -> int:
    left = (attributes.get(name, "") for name in _LEFT)
    return max([0, *(int(text[1:]) for text in left if text[:1] == "-" and text[1:].isdigit())])


def is_overdue(job: Job) -> bool:
    """Return whether a job should have ended by itself or been ended by its node."""
    return job.state == "RUNNING" and job.overdue > OVERDUE_SECONDS


def nodes_down(text: str) -> set[str]:
    """Return the nodes that are down, from `pbsnodes -l`: a name and its states in each line."""
    rows = (line.split() for line in text.splitlines())
    return {row[0] for row in rows if len(row) == 2 and "down" in row[1].split(",")}


def without_lost(jobs: Sequence[Job], down: set[str]) -> list[Job]:
    """Return jobs; of those that are overdue on a node that is down it is told that they are lost.

    Their server says for ever that they run.
    """
    return [
        replace(job, state="UNKNOWN", lost=f"its time is over and its node {job.node} is down")
        if is_overdue(job) and job.node in down
        else job
        for job in jobs
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
