"""How jobs ended, from sacct, in fields that every version has."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.command import Command
from packhorse.model.job import EndCause, Ended, Job
from packhorse.schedulers.slurm.fields import elements, mebibytes, number, seconds, state, tres
from packhorse.schedulers.slurm.queue import ENV, UNSET

FIELDS = ("JobID", "State", "ExitCode", "End", "ElapsedRaw", "AllocCPUS", "TotalCPU", "MaxRSS", "NodeList")
# The columns of a list of jobs. Free text is last: a name may contain the separator.
MORE = (*FIELDS, "NNodes", "AllocTRES", "TimelimitRaw", "Partition", "JobName")
HOW: dict[str, EndCause] = {
    "COMPLETED": "done",
    "FAILED": "failed",
    "LAUNCH_FAILED": "failed",
    "TIMEOUT": "timeout",
    "DEADLINE": "timeout",
    "OUT_OF_MEMORY": "memory",
    "NODE_FAIL": "node",
    "BOOT_FAIL": "node",
    "PREEMPTED": "preempted",
    "CANCELLED": "cancelled",
    "REQUEUED": "requeued",
}

# States after which Slurm itself starts a job again. An earlier row in another state is of a job whose number was reused.
AGAIN = frozenset(("PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REQUEUED"))

_ID = re.compile(r"(\d+)(?:\+\d+)?(?:_(?:(\d+)|\[([^\]]*)\]?))?(?:\.(\S+))?")


class Row(Struct, frozen=True):
    """One line of sacct: a job, an element, waiting elements of an array, or a step of one of them."""

    job: str
    element: int | None
    waiting: str  # an array expression: elements that never started
    step: str
    word: str
    by: str
    exit: int | None
    signal: int | None
    end: str
    elapsed: int | None
    cores: int | None
    cpu: float | None
    memory: int | None
    node: str
    nodes: int | None = None
    asked_memory: int | None = None
    limit: int | None = None
    queue: str = ""
    name: str = ""


def sacct(jobs: Iterable[str]) -> Command:
    """Return the query for how jobs ended, also before they were started again (--duplicates).

    With --jobs and no times, sacct searches all records (sacct(1), --starttime).
    """
    return _sacct(("--duplicates", f"--jobs={','.join(jobs)}"), FIELDS)


def of_days(user: str, days: int) -> Command:
    """Return the query for a user's jobs of the last days, in the site's time."""
    return _sacct((f"--user={user}", f"--starttime=now-{days}days"), MORE)


def _sacct(options: tuple[str, ...], fields: tuple[str, ...]) -> Command:
    argv = ("sacct", "--noheader", "--parsable2", *options, f"--format={','.join(fields)}")
    return Command(argv=argv, timeout=60.0, env=ENV, unset=UNSET)


def endings(text: str, fields: tuple[str, ...] = FIELDS) -> list[Ended]:
    """Return how the jobs of sacct's answer ended; those that wait or run are left out.

    A job that was started again has one value for each start that ended. sacct may say PENDING or RUNNING seconds
    after the end, and has no row for a new job.
    """
    jobs: dict[tuple[str, int | None, str], Row] = {}
    steps: dict[tuple[str, int | None, str], list[Row]] = {}
    before: list[tuple[Row, list[Row]]] = []
    for line in text.splitlines():
        row = _row(line, len(fields))
        if row is not None:
            place = (row.job, row.element, row.waiting)
            if row.step:
                steps.setdefault(place, []).append(row)
            else:
                earlier, steps_of_row = jobs.get(place), steps.pop(place, [])
                if earlier is not None and earlier.word in AGAIN:
                    before.append((earlier, steps_of_row))
                jobs[place] = row
    last = [(row, steps.get(place, [])) for place, row in jobs.items() if _has_ended(row)]
    return [ended for row, steps_of_row in (*before, *last) for ended in _ended(row, steps_of_row)]


def of_queue(job: Job) -> Ended:
    """Return how a job ended as far as squeue knows."""
    return Ended(
        job=job.job,
        element=job.element,
        how=HOW.get(job.word, "unknown"),
        word=job.word,
        elapsed=job.elapsed,
        limit=job.limit,
        node=job.node,
        name=job.name,
    )


def _row(line: str, columns: int) -> Row | None:
    fields = line.split("|") if columns == len(FIELDS) else line.split("|", columns - 1)
    found = _ID.fullmatch(fields[0])
    if not found or len(fields) != columns:
        return None  # not a job, or truncated
    _, state_text, code, end, elapsed, cores, cpu, memory, node = fields[: len(FIELDS)]
    nodes, given, minutes, queue, name = fields[len(FIELDS) :] or [""] * (len(MORE) - len(FIELDS))
    word, _, by = state_text.partition(" by ")
    status, _, signal = code.partition(":")
    return Row(
        job=found[1],
        element=number(found[2] or ""),
        waiting=found[3] or "",
        step=found[4] or "",
        word=word,
        by=by,
        exit=number(status),
        signal=number(signal) or None,
        end=end,
        elapsed=number(elapsed),
        cores=number(cores) or None,
        cpu=seconds(cpu),
        memory=mebibytes(memory),
        node="" if node == "None assigned" else node,
        nodes=number(nodes) or None,
        asked_memory=mebibytes(tres(given).get("mem", "")),
        limit=int(minutes) * 60 if number(minutes) is not None else None,
        queue=queue,
        name=name,
    )


def _has_ended(row: Row) -> bool:
    """Return whether a job has ended; in an unknown state, by its end time."""
    if row.word in HOW:
        return True
    return state(row.word) == "UNKNOWN" and row.end not in ("", "Unknown", "None")


def _ended(row: Row, steps: list[Row]) -> list[Ended]:
    """Return one value for the job of a row, or one for each element where an array was cancelled before they started."""
    # The exit status is meaningful only where the job ended by itself; otherwise it differs between versions.
    script_ended = row.word in ("COMPLETED", "FAILED")
    ended = Ended(
        job=row.job,
        element=row.element,
        how=_how(row, steps),
        word=row.word,
        by=row.by,
        exit=row.exit if script_ended and not row.signal else None,
        signal=row.signal if script_ended else None,
        cores=row.cores,
        elapsed=row.elapsed,
        cpu=row.cpu,
        memory=max((step.memory for step in (row, *steps) if step.memory), default=None),
        node=row.node,
        nodes=row.nodes,
        asked_memory=row.asked_memory,
        limit=row.limit,
        queue=row.queue,
        name=row.name,
        end=row.end if row.name else "",
    )
    if not row.waiting:
        return [ended]
    return [replace(ended, element=element) for part in elements(row.waiting) for element in part]


def _how(row: Row, steps: list[Row]) -> EndCause:
    """Return how a job ended.

    A step that ran out of memory counts even if the job went on. A cluster without memory control groups reports
    FAILED 0:9, and for the step that root cancelled it (Slurm's OverMemoryKill).
    """
    if row.word in ("COMPLETED", "FAILED") and any(_killed_for_memory(step) for step in steps):
        return "memory"
    return HOW.get(row.word, "unknown")


def _killed_for_memory(step: Row) -> bool:
    return step.word == "OUT_OF_MEMORY" or (step.word == "CANCELLED" and step.by == "0" and step.signal == 9)
