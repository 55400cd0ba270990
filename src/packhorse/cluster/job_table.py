"""Jobs as rows of a table: an array is one row, with states in plain words and what it used of its request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from packhorse.cluster.queue import ROOT
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
NODES = 3  # names of nodes in one line
NEXT = "-next"  # the end of a continuation's name


class JobRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One job, or one array with all its elements. Times in seconds, memory in MiB."""

    job: str
    name: str = ""
    run: str = ""  # that submitted it
    state: State = "unknown"  # of an array: the first of `counts`
    counts: dict[State, int] = {}  # elements in each state
    word: str = ""  # the scheduler's name of the state, where it says more
    reason: str = ""  # why it is queued, in plain words
    needs: str = ""  # the action without which it never starts
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
    cpu_used: float | None = None  # CPU time as a share of elapsed time x cores
    memory: int | None = None  # peak of one process group
    memory_asked: int | None = None  # requested on each node

    @property
    def alive(self) -> bool:
        """Whether the job, or an element of it, is queued or running."""
        return self.state in ALIVE


class RunNames(Struct, frozen=True, kw_only=True):
    """Names of runs on this machine, by the id of the run and by the number of a job."""

    by_id: Mapping[str, str] = {}
    by_job: Mapping[str, str] = {}

    def of(self, job: str, token: str) -> str:
        """Return the run of a job; empty for a job of no run here."""
        for run_id, name in self.by_id.items():
            if token.startswith(f"packhorse-{run_id}-"):
                return name
        return self.by_job.get(job, "")


def job_rows(
    dialect: Scheduler, site: str, jobs: Iterable[Job], ended: Iterable[Ended], names: RunNames
) -> list[JobRow]:
    """Return a row for each job: running, then queued, then ended, the newest first.

    The replies on queued and on ended jobs are of two moments: of a part that is in both, the end counts.
    """
    ended_parts: dict[str, list[Ended]] = {}
    for part in ended:
        ended_parts.setdefault(part.job, []).append(part)
    over_already = {(part.job, part.element) for parts in ended_parts.values() for part in parts}
    alive_parts: dict[str, list[Job]] = {}
    for job in jobs:
        if job.state != "GONE" and (job.job, job.element) not in over_already:
            alive_parts.setdefault(job.job, []).append(job)
    alive = [
        _alive_row(dialect, site, parts, ended_parts.pop(job, []), names)
        for job, parts in alive_parts.items()
    ]
    over = [row for parts in ended_parts.values() if not _is_dismissed(row := _ended_row(parts, names))]
    return [
        *sorted(alive, key=lambda row: (row.state != "running", _order(row.job))),
        *sorted(over, key=lambda row: (row.end, _order(row.job)), reverse=True),
    ]


def _is_dismissed(row: JobRow) -> bool:
    """Return whether a job is the continuation of a run that needed none, which Packhorse cancelled itself."""
    return bool(row.run) and row.name.endswith(NEXT) and row.state == "cancelled"


def _order(job: str) -> tuple[int, str]:
    digits = "".join(character for character in job.partition(".")[0] if character.isdigit())
    return int(digits or 0), job


def _alive_row(
    dialect: Scheduler, site: str, jobs: Sequence[Job], ended: Sequence[Ended], names: RunNames
) -> JobRow:
    states = {id(job): _state(dialect, job) for job in jobs}
    counts: dict[State, int] = {}
    for job in jobs:
        counts[states[id(job)]] = counts.get(states[id(job)], 0) + job.elements
    for part in ended:
        counts[HOW[part.how]] = counts.get(HOW[part.how], 0) + 1
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
        reason="; ".join(
            filter(None, dict.fromkeys([_reasons(dialect, waiting), *(job.lost for job in jobs)]))
        ),
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
    """Return the scheduler's name of an unusual state of a running job: COMPLETING, SUSPENDED."""
    states = {job.word for job in running if job.word not in ("RUNNING", "R", "")}
    return ", ".join(sorted(states)).lower() if len(running) == 1 else ""


def _reasons(dialect: Scheduler, waiting: Sequence[Job]) -> str:
    return "; ".join(dict.fromkeys(dialect.explain_reason(job.reason) for job in waiting))


def _needs(dialect: Scheduler, site: str, waiting: Sequence[Job]) -> str:
    """Return the actions without which queued jobs never start."""
    actions = []
    for job in waiting:
        remedy = dialect.remedy(job.reason)
        remedy = remedy.replace("packhorse cancel RUN", f"packhorse cancel {site}:{job.job}")
        actions.append(remedy.replace("JOB", job.job))
    return "; ".join(dict.fromkeys(filter(None, actions)))


def _ended_row(parts: Sequence[Ended], names: RunNames) -> JobRow:
    """Return the row of a job that has ended; numbers of an array are those of all its elements."""
    counts: dict[State, int] = {}
    for part in parts:
        counts[HOW[part.how]] = counts.get(HOW[part.how], 0) + 1
    # Failures come first.
    counts = {state: counts[state] for state in sorted(counts, key=lambda state: state == "done")}
    first = parts[0]
    single = len(parts) == 1
    return JobRow(
        job=first.job,
        name=first.name,
        run=names.of(first.job, ""),
        state=next(iter(counts)),
        counts={} if single else counts,
        word=first.word if single and first.how == "unknown" else "",
        elapsed=max((part.elapsed for part in parts if part.elapsed is not None), default=None),
        limit=first.limit,
        nodes=tuple(sorted({part.node for part in parts if part.node})),
        exit=first.exit if single else None,
        signal=first.signal if single else None,
        by_staff=all(part.by == ROOT for part in parts),
        end=max(part.end for part in parts),
        cores=first.cores,
        cpu_used=_cpu_used(parts),
        memory=max((part.memory for part in parts if part.memory is not None), default=None),
        memory_asked=first.asked_memory and first.asked_memory // (first.nodes or 1),
    )


def _cpu_used(parts: Sequence[Ended]) -> float | None:
    """Return CPU time as a share of elapsed time x cores; None where jobs were too short to measure."""
    measured = [
        (part.cpu, part.elapsed * part.cores) for part in parts if part.cpu and part.elapsed and part.cores
    ]
    core_seconds = sum(seconds for _, seconds in measured)
    return sum(cpu for cpu, _ in measured) / core_seconds if core_seconds else None


def describe_state(row: JobRow) -> str:
    """Return a row's state: `running`, or `3 running, 7 waiting`."""
    if row.counts:
        return ", ".join(f"{number:,} {state}" for state, number in row.counts.items())
    return f"{row.state} ({row.word})" if row.word else row.state


def describe_job(row: JobRow) -> str:
    """Return where a job runs, why it waits, or how it ended and what it used, as one line."""
    return "; ".join(part for part in (_alive_facts(row) if row.alive else _ended_facts(row)) if part)


def _alive_facts(row: JobRow) -> list[str]:
    ran = ""
    if row.nodes or row.elapsed is not None:
        ran = f"on {_node_list(row.nodes)}" if row.nodes else ""
        if row.elapsed is not None:
            ran += f" for {span(row.elapsed)}" + (f" of {span(row.limit)}" if row.limit else "")
    left = f"{span(row.left)} left" if row.left is not None else ""
    expected = f"expected to start at {row.start.replace('T', ' ')}" if row.start and not row.needs else ""
    action = f"action required: {row.needs}" if row.needs else ""
    return [ran.strip(), left, row.reason, expected, action]


def _node_list(nodes: Sequence[str]) -> str:
    more = f" and {counted(len(nodes) - NODES, 'more')[:-1]}" if len(nodes) > NODES + 1 else ""
    return ", ".join(nodes[: NODES if more else None]) + more


def _ended_facts(row: JobRow) -> list[str]:
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
        _usage(row),
        f"ended {row.end.replace('T', ' ')}" if row.end[:1].isdigit() else "",
    ]


def _usage(row: JobRow) -> str:
    used = []
    if row.cpu_used is not None:
        cores = f" of {counted(row.cores, 'core')}" if row.cores else ""
        used.append(f"{row.cpu_used:.0%}{cores}")
    if row.memory is not None:
        used.append(size(row.memory) + (f" of {size(row.memory_asked)}" if row.memory_asked else ""))
    return f"used {' and '.join(used)}" if used else ""
