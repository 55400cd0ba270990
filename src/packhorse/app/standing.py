"""How a run stands on its site: what waits, what runs, what comes after, and what nobody knows."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from packhorse.app.queue import Jobs, Queue
from packhorse.model.job import Job
from packhorse.run.directory import RunDirectory


class Standing(Struct, frozen=True, kw_only=True):
    """The jobs of one run. `queued` and `running` count elements of its newest wave that has jobs."""

    state: Literal["waiting", "running", "following", "gone", "unknown"]
    wave: int = 0
    queued: int = 0
    running: int = 0
    follows: bool = False  # a continuation waits or runs
    reason: str = ""  # why what waits does, in plain words
    start: str = ""  # expected, ISO 8601
    nodes: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()  # of all jobs, to cancel them
    asked: float = 0.0
    silent: str = ""

    @property
    def alive(self) -> bool:
        """Whether something of the run waits or runs."""
        return self.state in ("waiting", "running", "following")


def standing(run: RunDirectory, queue: Queue, jobs: Jobs) -> Standing:
    """Return how a run's jobs stand by one answer of the scheduler."""
    if jobs.silent:
        return Standing(state="unknown", silent=jobs.silent, asked=jobs.asked)
    ours = jobs.of(run.about().id)
    numbers = tuple(dict.fromkeys(job.job for _, _, job in ours))
    working = [(wave, job) for wave, following, job in ours if not following and job.state != "GONE"]
    follows = any(following and job.state != "GONE" for _, following, job in ours)
    if not working:
        state: Literal["following", "gone"] = "following" if follows else "gone"
        return Standing(state=state, follows=follows, numbers=numbers, asked=jobs.asked)
    newest = max(wave for wave, _ in working)
    here = [job for wave, job in working if wave == newest]
    waiting = [job for job in here if job.state == "QUEUED"]
    running = [job for job in here if job.state == "RUNNING"]
    unknown = [job for job in here if job.state == "UNKNOWN"]
    return Standing(
        state="running" if running or unknown else "waiting",
        wave=newest,
        queued=sum(job.elements for job in waiting),
        running=sum(job.elements for job in [*running, *unknown]),
        follows=follows,
        reason=queue.dialect.reason(waiting[0].reason) if waiting else "",
        start=_first_start(waiting),
        nodes=tuple(sorted({job.node for job in running if job.node})),
        numbers=numbers,
        asked=jobs.asked,
    )


def _first_start(waiting: list[Job]) -> str:
    return min((job.start for job in waiting if job.start), default="")


def standing_line(found: Standing) -> str:
    """Return how a run's jobs stand, as one sentence."""
    if found.state == "unknown":
        return f"unknown: the scheduler does not answer ({found.silent}); the jobs go on by themselves"
    if found.state == "following":
        return "the wave has ended; the job that looks for what is missing waits or runs"
    if found.state == "gone":
        return "no job of this run waits or runs"
    parts = []
    if found.running:
        nodes = f" on {', '.join(found.nodes[:4])}" if found.nodes else ""
        parts.append(f"{_jobs(found.running)} running{nodes}")
    if found.queued:
        because = f" ({found.reason})" if found.reason else ""
        start = f", expected to start {found.start.replace('T', ' ')}" if found.start else ""
        parts.append(f"{_jobs(found.queued)} waiting{because}{start}")
    return "; ".join(parts)


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number:,} jobs"
