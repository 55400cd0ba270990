"""The waves of a run on a site: their tasks by outcome, and how their jobs ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from packhorse.cluster.queue import ROOT, Queue
from packhorse.model.job import Ended
from packhorse.model.plan import Plan
from packhorse.model.submission import Submission
from packhorse.results.journal_tail import read_tail
from packhorse.rundata.progress import wave_counts
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers.scheduler import NoReply
from packhorse.text.amounts import counted, size, span

SHOWN = 3  # waves that get a line each, the newest
OUTPUT_CHARACTERS = 300  # of the output of a job in which no worker started
OUTPUT_LINES = 3  # the same, in lines

# Outcomes of tasks and ends of jobs, as they follow a number.
TASKS = {
    "OK": "done",
    "FAILED": "failed",
    "TIMEOUT": "over the study's time limit",
    "MEMORY": "out of memory",
    "UNFINISHED": "unfinished when their job ended",
    "MISSING": "not started or lost",
}
JOBS = {
    "failed": "failed",
    "timeout": "reached the time limit",
    "memory": "out of memory",
    "node": "lost by a node failure",
    "preempted": "preempted",
    "requeued": "requeued",
    "unknown": "ended in an unknown way",
}


class WaveHistory(Struct, frozen=True, kw_only=True):
    """One wave that was submitted: `counts` are tasks by outcome, `broken` workers that exited early.

    `stopped` are those of them that got a signal to end, as before a preemption. `ended` counts jobs that did not end
    well, by how they ended; it is empty where the accounting was not queried.
    """

    wave: int
    tasks: int
    jobs: int
    at_a_time: int  # tasks
    job: str
    rung: str
    memory: int | None  # MiB of a job
    seconds: int | None  # of a job
    left_out: tuple[str, ...]  # nodes
    workers: int
    broken: int
    counts: dict[str, int]
    stopped: int = 0
    ended: dict[str, int] = {}


def waves_of(run: RunDirectory) -> list[WaveHistory]:
    """Return the waves of a run that were submitted since its last fresh start, the oldest first."""
    submissions, plans = Submissions(run), list(run.plans())
    sent = [(plan, submissions.of(plan.wave)) for plan in plans if plan.wave >= plans[-1].first]
    return [_wave(run, plan, submission) for plan, submission in sent if submission is not None]


def _wave(run: RunDirectory, plan: Plan, submission: Submission) -> WaveHistory:
    ends = [read_tail(path).end for path in run.ends(plan.wave)]
    counts = wave_counts(run, plan.wave)
    counts["MISSING"] = max(0, plan.tasks - sum(counts.values()))
    return WaveHistory(
        wave=plan.wave,
        tasks=plan.tasks,
        jobs=submission.elements,
        at_a_time=min(plan.tasks, submission.elements * submission.slots),
        job=submission.job,
        rung=submission.rung,
        memory=submission.memory,
        seconds=submission.seconds,
        left_out=submission.exclude,
        workers=len(ends),
        broken=sum(end not in ("done", "deadline") for end in ends),
        stopped=ends.count("stopped"),
        counts={name: number for name, number in counts.items() if number},
    )


def with_job_ends(
    waves: Sequence[WaveHistory], run: RunDirectory, queue: Queue, working: int
) -> list[WaveHistory]:
    """Return waves with how their jobs ended, where some did not end well and the accounting replies.

    `working` is the wave with queued or running jobs, 0 for none; a worker of it without an end may be at work.
    """
    bad = [
        wave
        for wave in waves
        if wave.job and (wave.stopped if wave.wave == working else wave.broken or not wave.workers)
    ]
    ended = queue.ended(run.about().id, [wave.job for wave in bad][-SHOWN:]) if bad else []
    return [_with_ends(wave, [job for job in ended if job.job == wave.job], queue) for wave in waves]


def _with_ends(wave: WaveHistory, ended: Iterable[Ended], queue: Queue) -> WaveHistory:
    return replace(wave, ended=dict(Counter(_how(job, queue) for job in ended if job.how != "done")))


def _how(ended: Ended, queue: Queue) -> str:
    """Return how a job ended, in plain words; users are those of the site, not of this machine."""
    if ended.how != "cancelled":
        return JOBS.get(ended.how, ended.how)
    if not ended.by:
        return "cancelled"
    if ended.by == queue.user or (ended.by == ROOT and queue.user == "root"):
        return "cancelled by you"
    if ended.by == ROOT:
        return "cancelled by an administrator, or Slurm itself"
    return f"cancelled by {'user ' if ended.by.isdigit() else ''}{ended.by}"


def wave_lines(waves: Sequence[WaveHistory]) -> list[str]:
    """Return a line for each of the newest waves, and one for all earlier ones."""
    lines = [_line(wave, before) for wave, before in zip(waves, [None, *waves], strict=False)]
    hidden = len(lines) - SHOWN
    if hidden > 0:
        done = sum(wave.counts.get("OK", 0) for wave in waves[:hidden])
        lines[:hidden] = [f"{counted(hidden, 'earlier wave')}: {counted(done, 'task')} done"]
    return lines


def _line(wave: WaveHistory, before: WaveHistory | None) -> str:
    job = f"job {wave.job}" if wave.job else "job number not known yet"
    line = f"wave {wave.wave}: {counted(wave.tasks, 'task')} in {counted(wave.jobs, 'job')} ({job})"
    line += _changes(wave, before)
    line += ": " + ", ".join(f"{wave.counts[name]:,} {TASKS[name]}" for name in TASKS if name in wave.counts)
    if wave.ended:
        line += "; jobs: " + ", ".join(f"{number:,} {how}" for how, number in wave.ended.items())
    return line


def _changes(wave: WaveHistory, before: WaveHistory | None) -> str:
    """Return how the request of a wave differs from that of the wave before it, and why."""
    text = ""
    if wave.rung == "memory" and wave.memory:
        killed = before.counts.get("MEMORY", 0) if before else 0
        reason = f", since {counted(killed, 'task')} ran out of memory" if killed else ""
        text += f", {size(wave.memory)} for each job{reason}"
    elif wave.rung == "long" and wave.seconds:
        text += f", {span(wave.seconds)} for each job, since some tasks need longer jobs"
    left_out = [node for node in wave.left_out if before is None or node not in before.left_out]
    if left_out:
        text += f", without {', '.join(left_out)}, where every task failed"
    return text


def failed_job_output(run: RunDirectory, waves: Sequence[WaveHistory]) -> str:
    """Return the last lines of a job of the newest wave, where no worker of that wave started."""
    if not waves or waves[-1].workers:
        return ""
    for path in sorted((run.path / "logs").glob(f"job-{waves[-1].wave}-*")):
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return " / ".join(lines[-OUTPUT_LINES:])[-OUTPUT_CHARACTERS:]
    return ""


def keep_accounting(run: RunDirectory, queue: Queue) -> None:
    """Ask how the jobs of each wave ended, where that is not known yet, and write it to the run directory."""
    submissions = Submissions(run)
    sent = [submission for wave in run.waves() if (submission := submissions.of(wave)) is not None]
    open_waves = [one for one in sent if one.job and not _complete(one, submissions.accounting(one.wave))]
    if not open_waves:
        return
    reply = run_dialogue(queue.dialect.ended([one.job for one in open_waves]), queue.ask)
    if isinstance(reply, NoReply):
        return
    for one in open_waves:
        ended = tuple(job for job in reply if queue.dialect.same_job(one.job, job.job))
        if len(ended) > len(submissions.accounting(one.wave)):
            submissions.keep_accounting(one.wave, ended)  # sites delete old records


def _complete(submission: Submission, ended: tuple[Ended, ...]) -> bool:
    return len(ended) >= submission.elements
