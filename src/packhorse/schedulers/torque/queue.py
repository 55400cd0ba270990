"""Reading TORQUE's qstat. `qstat -f` cannot be asked for a user's jobs alone, so their numbers are asked for first."""

from __future__ import annotations

from collections.abc import Iterable

from packhorse.model.command import Command
from packhorse.model.job import Details, EndCause, Ended, Job
from packhorse.schedulers.pbs.exit_status import TERMINATED, own_end
from packhorse.schedulers.pbs.job_ids import Id, job_id
from packhorse.schedulers.pbs.job_output import token_in
from packhorse.schedulers.quantities import mebibytes, moment, seconds
from packhorse.schedulers.torque.fields import records, state

UNSET = ("PBS_QSTAT_*",)
CHUNK = 50  # jobs in one question

# Of the server: who ended it (pbs_job.h, JOB_EXEC_*).
HOW: dict[str, EndCause] = {"-10": "memory", "-11": "timeout", "-12": "timeout", "-4": "node"}


def user_jobs(user: str) -> Command:
    """Return the question which jobs a user has."""
    return Command(argv=("qstat", "-u", user), unset=UNSET)


def details(numbers: Iterable[str]) -> list[Command]:
    """Return the questions for all about some jobs, and about each element of an array.

    Without -t a question for `26[]` is answered with every job of the server; so is one that names no job.
    """
    asked = list(numbers)
    parts = [asked[at : at + CHUNK] for at in range(0, len(asked), CHUNK)]
    return [Command(argv=("qstat", "-f", "-1", "-t", *part), timeout=60.0, unset=UNSET) for part in parts]


def rows(text: str, numbers: Iterable[str]) -> list[Job]:
    """Return the jobs of an answer that were asked for."""
    return [_job(job, told) for job, told in _asked_for(text, numbers)]


def _asked_for(text: str, numbers: Iterable[str]) -> list[tuple[Id, dict[str, str]]]:
    wanted = {found.number for found in map(job_id, numbers) if found}
    return [(job, told) for job, told in records(text) if job.number in wanted]


def _job(job: Id, told: dict[str, str]) -> Job:
    word = told.get("job_state", "")
    meaning = state(word)
    return Job(
        job=job.job,
        element=job.element,
        state=meaning,
        word=word,
        reason=_reason(word, told) if meaning in ("QUEUED", "UNKNOWN") else "",
        start=moment(told.get("start_time", "")),
        elapsed=seconds(told.get("resources_used.walltime", "")),
        limit=seconds(told.get("Resource_List.walltime", "")),
        node=_node(told),
        name=told.get("Job_Name", ""),
        token=token_in(told.get("Variable_List", "")),
    )


def _reason(word: str, told: dict[str, str]) -> str:
    """Return why a job waits: who holds it, as `held u`; else the scheduler's comment, or its state."""
    holds = told.get("Hold_Types", "n")
    if word == "H" and holds != "n":
        return f"held {holds}"
    return told.get("comment", "") or ("" if word == "Q" else word)


def _node(told: dict[str, str]) -> str:
    return told.get("exec_host", "").partition("/")[0]


def endings(text: str, numbers: Iterable[str]) -> list[Ended]:
    """Return how jobs ended that the server still remembers (keep_completed, pbs_server_attributes(7B))."""
    return [
        _ended(job, told)
        for job, told in _asked_for(text, numbers)
        if state(told.get("job_state", "")) == "GONE"
    ]


def _ended(job: Id, told: dict[str, str]) -> Ended:
    status = told.get("exit_status", "")
    how, code, signal = _how(status)
    return Ended(
        job=job.job,
        element=job.element,
        how=how,
        word=status or told["job_state"],
        exit=code,
        signal=signal,
        cores=_cores(told.get("exec_host", "")),
        elapsed=seconds(told.get("resources_used.walltime", "")),
        cpu=seconds(told.get("resources_used.cput", "")),
        memory=mebibytes(told.get("resources_used.mem", "")),
        node=_node(told),
        name=told.get("Job_Name", ""),
        queue=told.get("queue", ""),
        nodes=_count(told.get("Resource_List.nodect", "")),
        asked_memory=mebibytes(told.get("Resource_List.mem", "")),
        limit=seconds(told.get("Resource_List.walltime", "")),
        end=moment(told.get("comp_time", "")),
    )


def _count(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def details_of(text: str, numbers: Iterable[str]) -> list[Details]:
    """Return where jobs work and write. A path has the host in front that the file is copied to."""
    return [
        Details(
            job=job.job,
            element=job.element,
            name=told.get("Job_Name", ""),
            word=told.get("job_state", ""),
            folder=told.get("init_work_dir", ""),
            output=_path(told.get("Output_Path", "")),
            error="" if told.get("Join_Path", "n") != "n" else _path(told.get("Error_Path", "")),
            waits=state(told.get("job_state", "")) == "QUEUED",
            late=state(told.get("job_state", "")) == "RUNNING",
        )
        for job, told in _asked_for(text, numbers)
    ]


def _path(text: str) -> str:
    return text.partition(":")[2] or text


def _how(status: str) -> tuple[EndCause, int | None, int | None]:
    """Return how a job ended, with the status of its script or the signal that ended it. Who never started has none."""
    if status in ("", str(TERMINATED)):
        return "cancelled", None, None
    if status in HOW:
        return HOW[status], None, None
    if not status.isascii() or not status.lstrip("-").isdigit():
        return "unknown", None, None
    return own_end(int(status))


def _cores(hosts: str) -> int | None:
    """Return how many cores `n02/0-1+n01/3` are."""
    found = 0
    for part in hosts.split("+"):
        for one in part.partition("/")[2].split(","):
            first, _, last = one.partition("-")
            if first.isdigit():
                found += int(last or first) - int(first) + 1
    return found or None
