"""The state of a run's jobs: queued, running, followed by a continuation, gone or unknown."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

from msgspec import Struct

from packhorse.cluster.queue import Queue, QueueReply
from packhorse.model.job import Job
from packhorse.model.submission import ClusterRun
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from packhorse.text.amounts import counted

SHOWN = 4  # names of nodes in one line


class RunJobState(Struct, frozen=True, kw_only=True):
    """The jobs of one run. `queued` and `running` count elements of its newest wave that has jobs.

    In the state "following" only a continuation is queued or running.
    """

    state: Literal["waiting", "running", "following", "gone", "unknown"]
    wave: int = 0
    queued: int = 0
    running: int = 0
    at_a_time: int = 0  # tasks that the running elements work on together
    follows: bool = False  # whether a continuation is queued or running
    reason: str = ""  # why queued jobs wait, in plain words
    start: str = ""  # expected, ISO 8601
    needs: str = ""  # the action without which queued jobs never start
    stuck: tuple[str, ...] = ()  # numbers of continuations that can never start
    lost: tuple[
        str, ...
    ] = ()  # jobs that run as far as the scheduler knows, and will not end, each with the reason
    nodes: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()  # of all jobs, to cancel them
    asked: float = 0.0  # time of the poll, Unix seconds
    silent: str = ""  # why the scheduler did not reply

    @property
    def alive(self) -> bool:
        """Whether a job of the run is queued or running."""
        return self.state in ("waiting", "running", "following")


def job_state(run: RunDirectory, queue: Queue, reply: QueueReply) -> RunJobState:
    """Return the state of a run's jobs, from one reply of the scheduler."""
    if reply.silent:
        return RunJobState(state="unknown", silent=reply.silent, asked=reply.asked)
    jobs = reply.of(run.about().id)
    numbers = tuple(dict.fromkeys(job.job for _, _, job in jobs))
    alive = [one for one in jobs if one[2].state != "GONE" and not one[2].lost]
    lost = tuple(_lost(queue, job) for _, _, job in jobs if job.lost)
    elements = [(wave, job) for wave, following, job in alive if not following]
    continuations = [job for _, following, job in alive if following]
    waits_for_lost = bool(lost) and not elements
    stuck = [job for job in continuations if _never_starts(queue, job, waits_for_lost=waits_for_lost)]
    waiting = [job for job in continuations if job not in stuck]
    needs = _needs(run, queue, [*(job for _, job in elements), *waiting])
    if not elements:
        if stuck and not waiting:
            needs = f"the run command submits the next wave in its place: {run_again(run)}"
        return RunJobState(
            state="following" if continuations else "gone",
            follows=bool(continuations),
            reason=_reason(queue, continuations),
            start=_first_start(continuations),
            needs=needs,
            stuck=tuple(job.job for job in stuck),
            lost=lost,
            numbers=numbers,
            asked=reply.asked,
        )
    started = [wave for wave, job in elements if job.state != "QUEUED"]
    # Later waves may be queued in advance; the wave at work is the newest that has started.
    newest = max(started) if started else min(wave for wave, _ in elements)
    current = [job for wave, job in elements if wave == newest]
    queued = [job for job in current if job.state == "QUEUED"]
    running = [job for job in current if job.state == "RUNNING"]
    unknown = [job for job in current if job.state == "UNKNOWN"]
    at_work = sum(job.elements for job in [*running, *unknown])
    submission = Submissions(run).of(newest)
    return RunJobState(
        state="running" if running or unknown else "waiting",
        wave=newest,
        queued=sum(job.elements for job in queued),
        running=at_work,
        at_a_time=at_work * submission.slots if submission else 0,
        follows=bool(continuations),
        reason=_reason(queue, queued),
        needs=needs,
        stuck=tuple(job.job for job in stuck),
        lost=lost,
        start=_first_start(queued),
        nodes=tuple(sorted({job.node for job in running if job.node})),
        numbers=numbers,
        asked=reply.asked,
    )


def _never_starts(queue: Queue, job: Job, *, waits_for_lost: bool) -> bool:
    if job.state != "QUEUED":
        return False
    dependent = queue.dialect.wait_kind(job.reason) == "dependent"
    return queue.dialect.never_starts(job.reason) or (waits_for_lost and dependent)


def _lost(queue: Queue, job: Job) -> str:
    number = job.job if job.element is None else queue.dialect.element_of(job.job, job.element)
    return f"job {number} is lost: {job.lost}"


def _reason(queue: Queue, jobs: list[Job]) -> str:
    """Return why jobs wait; reasons that need an action come first."""
    reasons = [job.reason for job in jobs if job.state == "QUEUED"]
    ordered = sorted(reasons, key=lambda reason: not queue.dialect.remedy(reason))
    return "; ".join(dict.fromkeys(map(queue.dialect.explain_reason, ordered)))


def _needs(run: RunDirectory, queue: Queue, jobs: list[Job]) -> str:
    """Return the actions without which queued jobs never start."""
    actions = []
    for job in jobs:
        remedy = queue.dialect.remedy(job.reason) if job.state == "QUEUED" else ""
        if remedy:
            actions.append(remedy.replace("JOB", job.job).replace("RUN", run_argument(run)))
    return "; ".join(dict.fromkeys(actions))


def run_argument(run: RunDirectory) -> str:
    """Return a run as an argument of commands typed beside the study: its name under runs/, else its path."""
    return shlex.quote(run.path.name if run.path.parent.name == "runs" else str(run.path))


def run_again(run: RunDirectory) -> str:
    """Return the command that continues a run on its site."""
    cluster = Submissions(run).cluster()
    study = run.about().study
    target = Path(study).name if study and Path(study).parent == run.path.parent.parent else study
    command = ["packhorse", "run", target or str(run.path)]
    return shlex.join([*command, "--site", _site(cluster)] if cluster else command)


def _site(cluster: ClusterRun) -> str:
    """Return the site as the user named it: its name, or the path of its file."""
    return str(cluster.chosen.get("site", cluster.site.name))


def _first_start(jobs: list[Job]) -> str:
    return min((job.start for job in jobs if job.state == "QUEUED" and job.start), default="")


def job_state_line(state: RunJobState) -> str:
    """Return the state of a run's jobs as one line."""
    if state.state == "unknown":
        return f"unknown: no reply from the scheduler ({state.silent}); the jobs continue"
    lost = "".join(f"; {sentence}" for sentence in state.lost[:SHOWN])
    return _jobs_line(state) + lost


def _jobs_line(state: RunJobState) -> str:
    if state.state == "following":
        waits = f" is waiting ({state.reason})" if state.reason else " is running"
        return f"a wave has ended; its continuation{waits}{_expected(state)}{_action(state)}"
    if state.state == "gone":
        return "no job of this run is queued or running"
    parts = []
    if state.running:
        tasks = f", {counted(state.at_a_time, 'task')} at a time" if state.at_a_time else ""
        parts.append(f"{counted(state.running, 'job')} running{_nodes(state.nodes)}{tasks}")
    if state.queued:
        reason = f" ({state.reason})" if state.reason else ""
        parts.append(f"{counted(state.queued, 'job')} waiting{reason}{_expected(state)}")
    return "; ".join(parts) + _action(state)


def _action(state: RunJobState) -> str:
    return f"; action required: {state.needs}" if state.needs else ""


def _nodes(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f" on {', '.join(names[:SHOWN])}{more}" if names else ""


def _expected(state: RunJobState) -> str:
    shown = state.start and not state.needs
    return f", expected to start at {state.start.replace('T', ' ')}" if shown else ""
