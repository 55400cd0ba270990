"""Reading OpenPBS's qstat. `qstat -f` cannot be asked for a user's jobs alone, so their numbers are asked for first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from packhorse.model.command import Command
from packhorse.model.job import Details, EndCause, Ended, Job
from packhorse.schedulers.openpbs.fields import state
from packhorse.schedulers.pbs.exit_status import TERMINATED, own_end
from packhorse.schedulers.pbs.job_ids import Id, job_id
from packhorse.schedulers.pbs.job_output import TOKEN
from packhorse.schedulers.quantities import mebibytes, moment, seconds

CHUNK = 50  # jobs in one question

NEVER_RUN = "Subjob finished"  # the comment of an element that was deleted before it began

# Of the server: who ended it (pbs_job.h, JOB_EXEC_*).
HOW: dict[int, EndCause] = {-20: "node", -26: "memory", -27: "memory", -28: "timeout", -29: "timeout"}
Record = tuple[Id, dict[str, Any]]


def user_jobs(user: str, *options: str) -> Command:
    """Return the question which jobs a user has; with -x also those that have ended."""
    return Command(argv=("qstat", *options, "-u", user))


def details(numbers: Iterable[str], *options: str) -> list[Command]:
    """Return the questions for all about some jobs, and about each element of an array."""
    asked = list(numbers)
    parts = [asked[at : at + CHUNK] for at in range(0, len(asked), CHUNK)]
    argv = ("qstat", *options, "-f", "-t", "-F", "json")
    return [Command(argv=(*argv, *part), timeout=60.0) for part in parts]


def rows(records: Sequence[Record], numbers: Iterable[str]) -> list[Job]:
    """Return the jobs of an answer that were asked for: of an array its elements, which say nothing of its holds."""
    asked = _asked_for(records, numbers)
    arrays = {job.number: told for job, told in asked if job.array and job.element is None}
    whole = {job.number for job, _ in asked if job.element is not None}
    return [
        _job(job, told, arrays.get(job.number, told))
        for job, told in asked
        if job.element is not None or job.number not in whole
    ]


def _asked_for(records: Sequence[Record], numbers: Iterable[str]) -> list[Record]:
    wanted = {found.number for found in map(job_id, numbers) if found}
    return [(job, told) for job, told in records if job.number in wanted]


def _job(job: Id, told: dict[str, Any], array: dict[str, Any]) -> Job:
    word = str(told.get("job_state", ""))
    meaning = state(word)
    estimated = told.get("estimated", {}).get("start_time", "") if meaning == "QUEUED" else ""
    return Job(
        job=job.job,
        element=job.element,
        state=meaning,
        word=word,
        reason=_reason(word, told, array) if meaning in ("QUEUED", "UNKNOWN") else "",
        start=moment(str(estimated or told.get("stime", ""))) if meaning != "QUEUED" or estimated else "",
        elapsed=seconds(str(told.get("resources_used", {}).get("walltime", ""))),
        limit=seconds(str(told.get("Resource_List", {}).get("walltime", ""))),
        node=_node(told),
        name=str(told.get("Job_Name", "")),
        token=str(told.get("Variable_List", {}).get(TOKEN, "")),
    )


def _reason(word: str, told: dict[str, Any], array: dict[str, Any]) -> str:
    """Return why a job waits: who holds it or its array, as `held u`; else the scheduler's comment, or its state."""
    for one in (told, array):
        holds = str(one.get("Hold_Types", "n"))
        if one.get("job_state") == "H" and holds != "n":
            return f"held {holds}"
    if array is not told and array.get("job_state") == "B" and word == "Q":
        return "array began"
    return str(told.get("comment", "")) or ("" if word == "Q" else word)


def _node(told: dict[str, Any]) -> str:
    return str(told.get("exec_host", "")).partition("/")[0]


def endings(records: Sequence[Record], numbers: Iterable[str]) -> list[Ended]:
    """Return how jobs ended, of arrays their elements; the array's own status says nothing of them."""
    over = [
        (job, told)
        for job, told in _asked_for(records, numbers)
        if state(str(told.get("job_state", ""))) == "GONE" and not (job.array and job.element is None)
    ]
    return [_ended(job, told) for job, told in over]


def _ended(job: Id, told: dict[str, Any]) -> Ended:
    how, code, signal = _how(told)
    used = told.get("resources_used", {})
    return Ended(
        job=job.job,
        element=job.element,
        how=how,
        word=str(told.get("Exit_status", told["job_state"])),
        exit=code,
        signal=signal,
        cores=used.get("ncpus"),
        elapsed=seconds(str(used.get("walltime", ""))),
        cpu=seconds(str(used.get("cput", ""))),
        memory=mebibytes(str(used.get("mem", ""))),
        node=_node(told),
        name=str(told.get("Job_Name", "")),
        queue=str(told.get("queue", "")),
        nodes=told.get("Resource_List", {}).get("nodect"),
        asked_memory=mebibytes(str(told.get("Resource_List", {}).get("mem", ""))),
        limit=seconds(str(told.get("Resource_List", {}).get("walltime", ""))),
        end=moment(str(told.get("obittime", ""))),
    )


def details_of(records: Sequence[Record], numbers: Iterable[str]) -> list[Details]:
    """Return where jobs work and write, of arrays their elements. A path has the host in front of it."""
    asked = _asked_for(records, numbers)
    whole = {job.number for job, _ in asked if job.element is not None}
    return [
        Details(
            job=job.job,
            element=job.element,
            name=str(told.get("Job_Name", "")),
            word=str(told.get("job_state", "")),
            folder=str(told.get("Variable_List", {}).get("PBS_O_WORKDIR", "")),
            output=_path(told.get("Output_Path"), job.element),
            error="" if told.get("Join_Path", "n") != "n" else _path(told.get("Error_Path"), job.element),
            waits=state(str(told.get("job_state"))) == "QUEUED",
            late=state(str(told.get("job_state"))) == "RUNNING",
        )
        for job, told in asked
        if job.element is not None or job.number not in whole
    ]


def _path(said: object, element: int | None) -> str:
    text = str(said or "")
    return (text.partition(":")[2] or text).replace("^array_index^", str(element))


def _how(told: dict[str, Any]) -> tuple[EndCause, int | None, int | None]:
    """Return how a job ended, with the status of its script or the signal that ended it.

    Who never started has no status, or as an element of an array one that is not its own.
    """
    code = told.get("Exit_status")
    if code in (None, TERMINATED) or told.get("comment") == NEVER_RUN:
        return "cancelled", None, None
    if not isinstance(code, int):
        return "unknown", None, None
    if code in HOW:
        return HOW[code], None, None
    return own_end(code)
