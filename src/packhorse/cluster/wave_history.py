"""What a run on a site has behind it: its waves, what became of their tasks, and how their jobs ended."""

from __future__ import annotations

import os
import pwd
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from packhorse.cluster.queue import Queue
from packhorse.model.job import Ended
from packhorse.model.plan import Plan
from packhorse.model.submission import Submission
from packhorse.results.journal import read_tail
from packhorse.rundata.progress import wave_counts
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from packhorse.text.amounts import counted, size, span

SHOWN = 3  # waves that are told one by one, the newest
SAID = 300  # characters of what a job that brought nothing said

# What became of tasks and of jobs, in the words of a sentence that begins with their number.
TASKS = {
    "OK": "done",
    "FAILED": "failed",
    "TIMEOUT": "over the study's time limit",
    "MEMORY": "out of memory",
    "UNFINISHED": "cut off by the end of their job",
    "MISSING": "not begun or lost",
}
JOBS = {
    "failed": "failed",
    "timeout": "reached the time limit",
    "memory": "killed for memory",
    "node": "lost with a node",
    "preempted": "preempted for another job",
    "requeued": "started again",
    "unknown": "ended in a way that is not known",
}


class WaveHistory(Struct, frozen=True, kw_only=True):
    """One wave that was submitted. `counts` are tasks by outcome, `broken` workers that ended before their time.

    `stopped` are those of them that were told to end, as before a preemption. `ended` are jobs by how the accounting
    says that they ended, other than well; empty where nobody was asked.
    """

    wave: int
    tasks: int
    jobs: int
    at_a_time: int
    job: str
    rung: str
    memory: int | None
    seconds: int | None
    left_out: tuple[str, ...]
    workers: int
    broken: int
    counts: dict[str, int]
    stopped: int = 0
    ended: dict[str, int] = {}


def waves_of(run: RunDirectory) -> list[WaveHistory]:
    """Return the waves of a run that were submitted since its last fresh start, the oldest first."""
    kept, plans = Submissions(run), list(run.plans())
    sent = [(plan, kept.of(plan.wave)) for plan in plans if plan.wave >= plans[-1].first]
    return [_wave(run, plan, submission) for plan, submission in sent if submission is not None]


def _wave(run: RunDirectory, plan: Plan, sent: Submission) -> WaveHistory:
    ends = [read_tail(path).end for path in run.ends(plan.wave)]
    counts = wave_counts(run, plan.wave)
    counts["MISSING"] = max(0, plan.tasks - sum(counts.values()))
    return WaveHistory(
        wave=plan.wave,
        tasks=plan.tasks,
        jobs=sent.elements,
        at_a_time=min(plan.tasks, sent.elements * sent.slots),
        job=sent.job,
        rung=sent.rung,
        memory=sent.memory,
        seconds=sent.seconds,
        left_out=sent.exclude,
        workers=len(ends),
        broken=sum(end not in ("done", "deadline") for end in ends),
        stopped=ends.count("stopped"),
        counts={name: number for name, number in counts.items() if number},
    )


def with_job_ends(
    waves: Sequence[WaveHistory], run: RunDirectory, queue: Queue, working: int
) -> list[WaveHistory]:
    """Return waves with how their jobs ended, where some of them ended badly and the accounting answers.

    `working` is the wave whose jobs still wait or run, 0 for none; a worker of it without an end may be at work.
    """
    bad = [
        one
        for one in waves
        if one.job and (one.stopped if one.wave == working else one.broken or not one.workers)
    ]
    told = queue.ended(run.about().id, [one.job for one in bad][-SHOWN:]) if bad else []
    return [_with(one, [ended for ended in told if ended.job == one.job]) for one in waves]


def _with(wave: WaveHistory, ended: Iterable[Ended]) -> WaveHistory:
    from msgspec.structs import replace

    return replace(wave, ended=dict(Counter(_how(one) for one in ended if one.how != "done")))


def _how(ended: Ended) -> str:
    """Return how a job ended, in plain words."""
    if ended.how != "cancelled":
        return JOBS.get(ended.how, ended.how)
    if ended.by == str(os.getuid()):
        return "cancelled by you"
    return f"cancelled by {_person(ended.by)}" if ended.by else "cancelled"


def _person(number: str) -> str:
    if number == "0":
        return "an administrator, or Slurm itself"
    try:
        return pwd.getpwuid(int(number)).pw_name
    except (KeyError, ValueError):
        return f"user {number}"


def wave_lines(waves: Sequence[WaveHistory]) -> list[str]:
    """Return the newest waves as sentences."""
    rows = [_line(one, before) for one, before in zip(waves, [None, *waves], strict=False)]
    hidden = len(rows) - SHOWN
    if hidden > 0:
        done = sum(one.counts.get("OK", 0) for one in waves[:hidden])
        rows[:hidden] = [f"{counted(hidden, 'earlier wave')}: {counted(done, 'task')} done"]
    return rows


def _line(wave: WaveHistory, before: WaveHistory | None) -> str:
    job = f"job {wave.job}" if wave.job else "its job is not known yet"
    said = f"wave {wave.wave}: {counted(wave.tasks, 'task')} in {counted(wave.jobs, 'job')} ({job})"
    said += _why(wave, before)
    said += ": " + ", ".join(f"{wave.counts[name]:,} {TASKS[name]}" for name in TASKS if name in wave.counts)
    if wave.ended:
        said += "; jobs: " + ", ".join(f"{number:,} {how}" for how, number in wave.ended.items())
    return said


def _why(wave: WaveHistory, before: WaveHistory | None) -> str:
    """Return what a wave has that the one before it had not, and why."""
    said = ""
    if wave.rung == "memory" and wave.memory:
        gone = before.counts.get("MEMORY", 0) if before else 0
        reason = f", since {counted(gone, 'task')} ran out of memory" if gone else ""
        said += f", {size(wave.memory)} for each job{reason}"
    elif wave.rung == "long" and wave.seconds:
        said += f", {span(wave.seconds)} for each job, since some tasks need longer jobs"
    left_out = [node for node in wave.left_out if before is None or node not in before.left_out]
    if left_out:
        said += f", without {', '.join(left_out)}, where every task failed"
    return said


def failed_job_output(run: RunDirectory, waves: Sequence[WaveHistory]) -> str:
    """Return what a job of the newest wave said, where none of its jobs began to work."""
    if not waves or waves[-1].workers:
        return ""
    for path in sorted((run.path / "logs").glob(f"job-{waves[-1].wave}-*")):
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return " / ".join(lines[-3:])[-SAID:]
    return ""
