"""Reading sacct: how jobs ended, from fields that every version has."""

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
# What a list of jobs shows beside it. The one free text comes last: a name may hold the separator.
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

# How a start ends that Slurm itself repeats. Other words of an earlier row are of a job whose number came round again.
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
    """Return the question how jobs ended, also before they were started again (--duplicates).

    With --jobs and no times, sacct looks at all there is (sacct(1), --starttime).
    """
    return _sacct(("--duplicates", f"--jobs={','.join(jobs)}"), FIELDS)


def of_days(user: str, days: int) -> Command:
    """Return the question how a user's jobs of the last days ended; the time is the site's own."""
    return _sacct((f"--user={user}", f"--starttime=now-{days}days"), MORE)


def _sacct(options: tuple[str, ...], fields: tuple[str, ...]) -> Command:
    argv = ("sacct", "--noheader", "--parsable2", *options, f"--format={','.join(fields)}")
    return Command(argv=argv, timeout=60.0, env=ENV, unset=UNSET)


def endings(text: str, fields: tuple[str, ...] = FIELDS) -> list[Ended]:
    """Return how the jobs of sacct's answer ended; those that wait or run are left out.

    A job that was started again has one value for each start that ended. sacct may say PENDING or RUNNING seconds
    after the end, and nothing at all of a new job.
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
                earlier, its = jobs.get(place), steps.pop(place, [])
                if earlier is not None and earlier.word in AGAIN:
                    before.append((earlier, its))
                jobs[place] = row
    last = [(row, steps.get(place, [])) for place, row in jobs.items() if _over(row)]
    return [ended for row, its in (*before, *last) for ended in _ended(row, its)]


def of_queue(job: Job) -> Ended:
    """Return what squeue alone tells of a job that has ended."""
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
        return None  # no job, or cut short
    _, said, code, end, elapsed, cores, cpu, memory, node = fields[: len(FIELDS)]
    nodes, given, minutes, queue, name = fields[len(FIELDS) :] or [""] * (len(MORE) - len(FIELDS))
    word, _, by = said.partition(" by ")
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


def _over(row: Row) -> bool:
    """Whether a job has ended; for a foreign word its end says so."""
    if row.word in HOW:
        return True
    return state(row.word) == "UNKNOWN" and row.end not in ("", "Unknown", "None")


def _ended(row: Row, steps: list[Row]) -> list[Ended]:
    """Return one value for the job of a row, or one for each element where an array was cancelled before they started."""
    # An exit status says something only where the job ended by itself; else it differs between versions.
    own = row.word in ("COMPLETED", "FAILED")
    said = Ended(
        job=row.job,
        element=row.element,
        how=_how(row, steps),
        word=row.word,
        by=row.by,
        exit=row.exit if own and not row.signal else None,
        signal=row.signal if own else None,
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
        return [said]
    return [_at(said, element) for part in elements(row.waiting) for element in part]


def _at(ended: Ended, element: int) -> Ended:
    return replace(ended, element=element)


def _how(row: Row, steps: list[Row]) -> EndCause:
    """Return how a job ended.

    What a step needed too much memory for is told even where the job went on without it. A cluster without memory
    control groups says FAILED 0:9, and of the step that root cancelled it (Slurm's OverMemoryKill).
    """
    if row.word in ("COMPLETED", "FAILED") and any(_killed_for_memory(step) for step in steps):
        return "memory"
    return HOW.get(row.word, "unknown")


def _killed_for_memory(step: Row) -> bool:
    return step.word == "OUT_OF_MEMORY" or (step.word == "CANCELLED" and step.by == "0" and step.signal == 9)
