"""Jobs as qstat reports them: attributes by name, and the values that TORQUE and OpenPBS report alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from packhorse.model.job import Details, EndCause, Ended, Job, JobState
from packhorse.schedulers.pbs.exit_status import TERMINATED, own_end
from packhorse.schedulers.pbs.job_ids import Id, job_id
from packhorse.schedulers.quantities import mebibytes, seconds

CHUNK = 50  # jobs in one question
# Attributes of a job by name; a part of one is named with a dot: resources_used.walltime.
Attributes = Mapping[str, str]
Record = tuple[Id, Attributes]
Outcome = tuple[EndCause, int | None, int | None]  # with exit status and signal

_INTEGER = re.compile(r"-?\d+", re.ASCII)


def chunks(numbers: Iterable[str]) -> list[list[str]]:
    """Return job numbers in parts of which each fits into one question; none where there are no numbers."""
    asked = list(numbers)
    return [asked[at : at + CHUNK] for at in range(0, len(asked), CHUNK)]


def selected(records: Sequence[Record], numbers: Iterable[str]) -> list[Record]:
    """Return the records of the jobs that were asked for, with all elements of their arrays."""
    wanted = {found.number for found in map(job_id, numbers) if found}
    return [(job, attributes) for job, attributes in records if job.number in wanted]


def job_value(
    job: Id, attributes: Attributes, state: JobState, *, reason: str = "", start: str = "", token: str = ""
) -> Job:
    """Return a job that waits or runs; `reason`, `start` and `token` are reported differently by each server."""
    return Job(
        job=job.job,
        element=job.element,
        state=state,
        word=attributes.get("job_state", ""),
        reason=reason if state in ("QUEUED", "UNKNOWN") else "",
        start=start,
        elapsed=seconds(attributes.get("resources_used.walltime", "")),
        limit=seconds(attributes.get("Resource_List.walltime", "")),
        node=_node(attributes),
        name=job_name(job, attributes),
        token=token,
    )


def wait_reason(job: Attributes, array: Attributes) -> str:
    """Return why a job waits: who holds it or its array, as `held u`; else the scheduler's comment, or its state."""
    for attributes in (job, array):
        holds = attributes.get("Hold_Types", "n")
        if attributes.get("job_state") == "H" and holds != "n":
            return f"held {holds}"
    state = job.get("job_state", "")
    return job.get("comment", "") or ("" if state == "Q" else state)


def ended_value(
    job: Id, attributes: Attributes, outcome: Outcome, *, status: str, cores: int | None, end: str
) -> Ended:
    """Return how a job ended; `status` is the exit status as the server reports it, "" for none."""
    how, code, signal = outcome
    return Ended(
        job=job.job,
        element=job.element,
        how=how,
        exit=code,
        signal=signal,
        word=status or attributes.get("job_state", ""),
        cores=cores,
        elapsed=seconds(attributes.get("resources_used.walltime", "")),
        cpu=seconds(attributes.get("resources_used.cput", "")),
        memory=mebibytes(attributes.get("resources_used.mem", "")),
        node=_node(attributes),
        name=job_name(job, attributes),
        queue=attributes.get("queue", ""),
        nodes=count(attributes.get("Resource_List.nodect", "")),
        asked_memory=mebibytes(attributes.get("Resource_List.mem", "")),
        limit=seconds(attributes.get("Resource_List.walltime", "")),
        end=end,
    )


def outcome_of(status: str, by_server: Mapping[str, EndCause]) -> Outcome:
    """Return how a job ended, with the exit status of its script or the signal that ended it.

    `by_server` are the statuses by which the server says why it ended the job (pbs_job.h, JOB_EXEC_*).
    """
    if status in ("", str(TERMINATED)):
        return "cancelled", None, None
    if status in by_server:
        return by_server[status], None, None
    return own_end(int(status)) if _INTEGER.fullmatch(status) else ("unknown", None, None)


def details_value(job: Id, attributes: Attributes, state: JobState, folder: str) -> Details:
    """Return where a job works and writes; a path has the host in front that the file is copied to."""
    joined = attributes.get("Join_Path", "n") != "n"
    return Details(
        job=job.job,
        element=job.element,
        name=job_name(job, attributes),
        word=attributes.get("job_state", ""),
        folder=folder,
        output=_path(attributes.get("Output_Path", ""), job.element),
        error="" if joined else _path(attributes.get("Error_Path", ""), job.element),
        waits=state == "QUEUED",
        late=state == "RUNNING",
    )


def job_name(job: Id, attributes: Attributes) -> str:
    """Return a job's name; TORQUE, which alone has job_array_id, adds the number of an element: `means-0`."""
    name = attributes.get("Job_Name", "")
    return name.removesuffix(f"-{job.element}") if "job_array_id" in attributes else name


def _path(text: str, element: int | None) -> str:
    """Return a path without its host; OpenPBS leaves the place of an element's number in it."""
    return (text.partition(":")[2] or text).replace("^array_index^", str(element))


def _node(attributes: Attributes) -> str:
    """Return the first node of `n02/0-1+n01/3`."""
    return attributes.get("exec_host", "").partition("/")[0]


def count(text: str) -> int | None:
    """Return a number that consists of digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() else None
