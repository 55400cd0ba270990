"""Jobs as rows for a person: an array folded into one, states in plain words, what was used of what was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from packhorse.model.job import Ended, Job
from packhorse.schedulers.scheduler import Scheduler
from packhorse.text.amounts import counted, size, span

State = Literal[
    "running",
    "waiting",
    "held",
    "dependent",
    "unknown",
    "done",
    "failed",
    "timed out",
    "out of memory",
    "cancelled",
    "node failed",
    "preempted",
    "put back",
    "ended",
]
ALIVE: tuple[State, ...] = ("running", "waiting", "held", "dependent", "unknown")
HOW: dict[str, State] = {
    "done": "done",
    "failed": "failed",
    "timeout": "timed out",
    "memory": "out of memory",
    "cancelled": "cancelled",
    "node": "node failed",
    "preempted": "preempted",
    "requeued": "put back",
    "unknown": "ended",
}
NODES = 3  # that are named


class JobRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One job, or one array with all its elements. Times in seconds, memory in MiB."""

    job: str
    name: str = ""
    run: str = ""  # the run that it belongs to
    state: State = "unknown"  # of an array: the first of `counts`
    counts: dict[State, int] = {}  # elements in each state
    word: str = ""  # the scheduler's own, where it says more than the state
    reason: str = ""  # why it waits, in plain words
    needs: str = ""  # what ends a wait that never ends by itself
    start: str = ""  # expected, ISO 8601 in the site's time
    elapsed: int | None = None
    limit: int | None = None
    left: int | None = None
    nodes: tuple[str, ...] = ()
    exit: int | None = None
    signal: int | None = None
    by_staff: bool = False
    end: str = ""
    cores: int | None = None
    cpu_used: float | None = None  # share of the time of its cores
    memory: int | None = None  # peak of one process group
    memory_asked: int | None = None  # on each node

    @property
    def alive(self) -> bool:
        """Whether something of it waits or runs."""
        return self.state in ALIVE


class RunNames(Struct, frozen=True, kw_only=True):
    """What is known here of the runs that jobs belong to: by the run's id, and by the job's number."""

    by_id: Mapping[str, str] = {}
    by_job: Mapping[str, str] = {}

    def of(self, job: str, token: str) -> str:
        """Return the run of a job, "" for none."""
        for run_id, name in self.by_id.items():
            if token.startswith(f"packhorse-{run_id}-"):
                return name
        return self.by_job.get(job, "")


def job_rows(
    dialect: Scheduler, site: str, jobs: Iterable[Job], ended: Iterable[Ended], names: RunNames
) -> list[JobRow]:
    """Return a row for each job: those that run, then those that wait, then those that ended, the newest first."""
    living: dict[str, list[Job]] = {}
    for job in jobs:
        if job.state != "GONE":
            living.setdefault(job.job, []).append(job)
    over: dict[str, list[Ended]] = {}
    for one in ended:
        over.setdefault(one.job, []).append(one)
    found = [_living(dialect, site, parts, over.pop(job, []), names) for job, parts in living.items()]
    gone = [_gone(parts, names) for parts in over.values()]
    return [
        *sorted(found, key=lambda row: (row.state != "running", _order(row.job))),
        *sorted(gone, key=lambda row: (row.end, _order(row.job)), reverse=True),
    ]


def _order(job: str) -> tuple[int, str]:
    digits = "".join(one for one in job.partition(".")[0] if one.isdigit())
    return int(digits or 0), job


def _living(
    dialect: Scheduler, site: str, jobs: Sequence[Job], ended: Sequence[Ended], names: RunNames
) -> JobRow:
    states = {id(job): _state(dialect, job) for job in jobs}
    counts: dict[State, int] = {}
    for job in jobs:
        counts[states[id(job)]] = counts.get(states[id(job)], 0) + job.elements
    for one in ended:
        counts[HOW[one.how]] = counts.get(HOW[one.how], 0) + 1
    counts = {state: counts[state] for state in (*ALIVE, *HOW.values()) if state in counts}
    first = jobs[0]
    running = [job for job in jobs if states[id(job)] == "running"]
    waiting = [job for job in jobs if job.state == "QUEUED"]
    lefts = [job.limit - job.elapsed for job in running if job.limit is not None and job.elapsed is not None]
    state = next(iter(counts))
    return JobRow(
        job=first.job,
        name=next((job.name for job in jobs if job.name), ""),
        run=next(filter(None, (names.of(job.job, job.token) for job in jobs)), ""),
        state=state,
        counts=counts if sum(counts.values()) > 1 else {},
        word=_word(running) or (first.word if state == "unknown" else ""),
        reason=_reasons(dialect, waiting),
        needs=_needs(dialect, site, waiting),
        start=min((job.start for job in waiting if job.start), default=""),
        elapsed=max((job.elapsed for job in running if job.elapsed is not None), default=None),
        limit=first.limit,
        left=max(0, *lefts) if lefts else None,
        nodes=tuple(sorted({job.node for job in running if job.node})),
    )


def _state(dialect: Scheduler, job: Job) -> State:
    if job.state == "QUEUED":
        return dialect.wait_kind(job.reason)
    return "running" if job.state == "RUNNING" else "unknown"


def _word(running: Sequence[Job]) -> str:
    """Return the scheduler's word for a job that runs in an unusual way: COMPLETING, SUSPENDED."""
    words = {job.word for job in running if job.word not in ("RUNNING", "R", "")}
    return ", ".join(sorted(words)).lower() if words and len(running) == 1 else ""


def _reasons(dialect: Scheduler, waiting: Sequence[Job]) -> str:
    return "; ".join(dict.fromkeys(dialect.explain_reason(job.reason) for job in waiting))


def _needs(dialect: Scheduler, site: str, waiting: Sequence[Job]) -> str:
    found = []
    for job in waiting:
        said = dialect.remedy(job.reason)
        if said:
            found.append(
                said.replace("packhorse cancel RUN", f"packhorse cancel {site}:{job.job}").replace(
                    "JOB", job.job
                )
            )
    return "; ".join(dict.fromkeys(found))


def _gone(parts: Sequence[Ended], names: RunNames) -> JobRow:
    """Return the row of a job of which nothing waits or runs; numbers of an array are those of all its elements."""
    counts: dict[State, int] = {}
    for one in parts:
        counts[HOW[one.how]] = counts.get(HOW[one.how], 0) + 1
    # What went wrong comes first.
    counts = {state: counts[state] for state in sorted(counts, key=lambda state: state == "done")}
    first = parts[0]
    own = len(parts) == 1
    return JobRow(
        job=first.job,
        name=first.name,
        run=names.of(first.job, ""),
        state=next(iter(counts)),
        counts={} if own else counts,
        word=first.word if own and first.how == "unknown" else "",
        elapsed=max((one.elapsed for one in parts if one.elapsed is not None), default=None),
        limit=first.limit,
        nodes=tuple(sorted({one.node for one in parts if one.node})),
        exit=first.exit if own else None,
        signal=first.signal if own else None,
        by_staff=all(one.by == "0" for one in parts),
        end=max(one.end for one in parts),
        cores=first.cores,
        cpu_used=_cpu_used(parts),
        memory=max((one.memory for one in parts if one.memory is not None), default=None),
        memory_asked=first.asked_memory and first.asked_memory // (first.nodes or 1),
    )


def _cpu_used(parts: Sequence[Ended]) -> float | None:
    """Return which share of the time of their cores jobs computed; None for what was too short to tell."""
    measured = [(one.cpu, one.elapsed * one.cores) for one in parts if one.cpu and one.elapsed and one.cores]
    whole = sum(seconds for _, seconds in measured)
    return sum(cpu for cpu, _ in measured) / whole if whole else None


def describe_state(row: JobRow) -> str:
    """Return a row's state: `running`, or `3 running, 7 waiting`."""
    if row.counts:
        return ", ".join(f"{number:,} {state}" for state, number in row.counts.items())
    return f"{row.state} ({row.word})" if row.word else row.state


def describe_job(row: JobRow) -> str:
    """Return what there is to say of a row, as one line."""
    return "; ".join(part for part in (_alive_words(row) if row.alive else _ended_words(row)) if part)


def _alive_words(row: JobRow) -> list[str]:
    ran = ""
    if row.nodes or row.elapsed is not None:
        ran = f"on {_named(row.nodes)}" if row.nodes else ""
        if row.elapsed is not None:
            ran += f" for {span(row.elapsed)}" + (f" of {span(row.limit)}" if row.limit else "")
    left = f"{span(row.left)} left" if row.left is not None else ""
    expected = f"expected to start at {row.start.replace('T', ' ')}" if row.start and not row.needs else ""
    stuck = f"this never ends by itself: {row.needs}" if row.needs else ""
    return [ran.strip(), left, row.reason, expected, stuck]


def _named(nodes: Sequence[str]) -> str:
    more = f" and {counted(len(nodes) - NODES, 'more')[:-1]}" if len(nodes) > NODES + 1 else ""
    return ", ".join(nodes[: NODES if more else None]) + more


def _ended_words(row: JobRow) -> list[str]:
    how = ""
    if row.signal:
        how = f"killed by signal {row.signal}"
    elif row.exit:
        how = f"exit status {row.exit}"
    elif row.state == "cancelled" and row.by_staff:
        how = "by an administrator"
    took = f"took {span(row.elapsed)}" if row.elapsed is not None else ""
    if took and row.limit:
        took += f" of {span(row.limit)}"
    return [
        how,
        took,
        _used_words(row),
        f"ended {row.end.replace('T', ' ')}" if row.end[:1].isdigit() else "",
    ]


def _used_words(row: JobRow) -> str:
    used = []
    if row.cpu_used is not None:
        cores = f" of {counted(row.cores, 'core')}" if row.cores else ""
        used.append(f"{row.cpu_used:.0%}{cores}")
    if row.memory is not None:
        used.append(size(row.memory) + (f" of {size(row.memory_asked)}" if row.memory_asked else ""))
    return f"used {' and '.join(used)}" if used else ""
