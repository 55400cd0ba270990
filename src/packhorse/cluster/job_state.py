"""How a run stands on its site: what waits, what runs, what comes after, and what nobody knows."""

from __future__ import annotations

import shlex
from typing import Literal

from msgspec import Struct

from packhorse.cluster.queue import Queue, QueueReply
from packhorse.model.job import Job
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from packhorse.text.amounts import counted

SHOWN = 4  # nodes that are named


class RunJobState(Struct, frozen=True, kw_only=True):
    """The jobs of one run. `queued` and `running` count elements of its newest wave that has jobs."""

    state: Literal["waiting", "running", "following", "gone", "unknown"]
    wave: int = 0
    queued: int = 0
    running: int = 0
    at_a_time: int = 0  # tasks, in the elements that run
    follows: bool = False  # a continuation waits or runs
    reason: str = ""  # why what waits does, in plain words
    start: str = ""  # expected, ISO 8601
    needs: str = ""  # what somebody has to do, where waiting alone never ends
    nodes: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()  # of all jobs, to cancel them
    asked: float = 0.0
    silent: str = ""

    @property
    def alive(self) -> bool:
        """Whether something of the run waits or runs."""
        return self.state in ("waiting", "running", "following")


def job_state(run: RunDirectory, queue: Queue, jobs: QueueReply) -> RunJobState:
    """Return how a run's jobs stand by one answer of the scheduler."""
    if jobs.silent:
        return RunJobState(state="unknown", silent=jobs.silent, asked=jobs.asked)
    ours = jobs.of(run.about().id)
    numbers = tuple(dict.fromkeys(job.job for _, _, job in ours))
    working = [(wave, job) for wave, following, job in ours if not following and job.state != "GONE"]
    next_ones = [job for _, following, job in ours if following and job.state != "GONE"]
    needs = _needs(run, queue, [*(job for _, job in working), *next_ones])
    if not working:
        return RunJobState(
            state="following" if next_ones else "gone",
            follows=bool(next_ones),
            reason=_reason(queue, next_ones),
            start=_first_start(next_ones),
            needs=needs,
            numbers=numbers,
            asked=jobs.asked,
        )
    begun = [wave for wave, job in working if job.state != "QUEUED"]
    newest = max(begun) if begun else min(wave for wave, _ in working)  # later ones may be queued beforehand
    here = [job for wave, job in working if wave == newest]
    waiting = [job for job in here if job.state == "QUEUED"]
    running = [job for job in here if job.state == "RUNNING"]
    unknown = [job for job in here if job.state == "UNKNOWN"]
    elements = sum(job.elements for job in [*running, *unknown])
    sent = Submissions(run).of(newest)
    return RunJobState(
        state="running" if running or unknown else "waiting",
        wave=newest,
        queued=sum(job.elements for job in waiting),
        running=elements,
        at_a_time=elements * sent.slots if sent else 0,
        follows=bool(next_ones),
        reason=_reason(queue, waiting),
        needs=needs,
        start=_first_start(waiting),
        nodes=tuple(sorted({job.node for job in running if job.node})),
        numbers=numbers,
        asked=jobs.asked,
    )


def _reason(queue: Queue, jobs: list[Job]) -> str:
    """Return why jobs wait, the reasons that never pass before those that may."""
    waiting = [job for job in jobs if job.state == "QUEUED"]
    words = sorted((job.reason for job in waiting), key=lambda word: not queue.dialect.remedy(word))
    return "; ".join(dict.fromkeys(map(queue.dialect.explain_reason, words)))


def _needs(run: RunDirectory, queue: Queue, jobs: list[Job]) -> str:
    """Return what somebody has to do for jobs that never start by themselves."""
    found = []
    for job in jobs:
        said = queue.dialect.remedy(job.reason) if job.state == "QUEUED" else ""
        if said:
            found.append(said.replace("JOB", job.job).replace("RUN", run_argument(run)))
    return "; ".join(dict.fromkeys(found))


def run_argument(run: RunDirectory) -> str:
    """Return what commands that are typed beside the study may call a run: its name under runs/, else its path."""
    return shlex.quote(run.path.name if run.path.parent.name == "runs" else str(run.path))


def _first_start(jobs: list[Job]) -> str:
    return min((job.start for job in jobs if job.state == "QUEUED" and job.start), default="")


def job_state_line(found: RunJobState) -> str:
    """Return how a run's jobs stand, as one sentence."""
    if found.state == "unknown":
        return f"unknown: the scheduler does not answer ({found.silent}); the jobs go on by themselves"
    if found.state == "following":
        waits = f" waits ({found.reason})" if found.reason else " runs"
        return (
            f"a wave has ended; the job that looks for what it left{waits}{_expected(found)}{_needed(found)}"
        )
    if found.state == "gone":
        return "no job of this run waits or runs"
    parts = []
    if found.running:
        tasks = f", {counted(found.at_a_time, 'task')} at a time" if found.at_a_time else ""
        parts.append(f"{counted(found.running, 'job')} running{_nodes(found.nodes)}{tasks}")
    if found.queued:
        because = f" ({found.reason})" if found.reason else ""
        parts.append(f"{counted(found.queued, 'job')} waiting{because}{_expected(found)}")
    return "; ".join(parts) + _needed(found)


def _needed(found: RunJobState) -> str:
    return f"; this never ends by itself: {found.needs}" if found.needs else ""


def _nodes(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f" on {', '.join(names[:SHOWN])}{more}" if names else ""


def _expected(found: RunJobState) -> str:
    known = found.start and not found.needs
    return f", expected to start at {found.start.replace('T', ' ')}" if known else ""
