"""The state of a run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from packhorse.app.jobs.job_row import JobRow
from packhorse.model.command import Command
from packhorse.model.errors import Unreachable
from packhorse.model.json_output import JsonOutput
from packhorse.project.task_filter import TaskFilter
from packhorse.remote.last_known import known_since, last_known_sentence
from packhorse.remote.open_store import open_store
from packhorse.remote.run_store import RunStore
from packhorse.rundata.failures import cause_list
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundata.progress import run_counts
from packhorse.rundata.warm_start import warm_start
from packhorse.rundir.directory import RunDirectory, find_run
from packhorse.rundir.lock import lock_holder
from packhorse.rundir.submissions import Submissions, read_script_job
from packhorse.text.amounts import retry_command

if TYPE_CHECKING:
    from packhorse.cluster.next_step import JobCause
    from packhorse.cluster.queue import Queue
    from packhorse.cluster.wave_history import WaveHistory
    from packhorse.model.submission import StopRecord


UNDONE = ("incomplete", "lost", "cancelled", "unknown")  # states without jobs that would complete the run


class Cause(Struct, frozen=True, kw_only=True):
    """Failed tasks that share an outcome, an exit status or signal, and the last line of standard error."""

    outcome: Annotated[str, Meta(description="FAILED, TIMEOUT, MEMORY or UNFINISHED.")]
    exit: Annotated[int | None, Meta(description="The exit status.")] = None
    signal: Annotated[int | None, Meta(description="The signal that ended the task.")] = None
    pattern: Annotated[str, Meta(description="The message without what differs from task to task.")] = ""
    message: Annotated[str, Meta(description="The last line of the first task's standard error.")] = ""
    count: Annotated[int, Meta(description="The number of tasks.")]
    examples: Annotated[tuple[int, ...], Meta(description="Indices of some of these tasks.")]


class WaveStatus(Struct, frozen=True, kw_only=True):
    """One wave that was submitted to a site, as the scheduler and the journals report it."""

    wave: Annotated[int, Meta(description="The number of the wave, from 1.")]
    tasks: Annotated[int, Meta(description="Tasks in the wave.")]
    jobs: Annotated[int, Meta(description="Jobs, or elements of the job array.")]
    at_a_time: Annotated[int, Meta(description="Tasks that run at a time when all jobs run.")]
    job: Annotated[str, Meta(description="The job's number at the scheduler.")]
    rung: Annotated[str, Meta(description="The size of request: base, or one for tasks that needed more.")]
    memory: Annotated[int | None, Meta(description="Requested memory of a job in MiB.")]
    seconds: Annotated[int | None, Meta(description="Requested time of a job in seconds.")]
    left_out: Annotated[tuple[str, ...], Meta(description="Nodes that the request excludes.")]
    workers: Annotated[int, Meta(description="Workers that have started.")]
    counts: Annotated[dict[str, int], Meta(description="Tasks by outcome.")]
    broken: Annotated[int, Meta(description="Workers that ended before their time.")]
    stopped: Annotated[int, Meta(description="Workers among them that were told to end.")]
    ended: Annotated[dict[str, int], Meta(description="Jobs that did not end well, by how they ended.")]


class StopReason(Struct, frozen=True, kw_only=True):
    """Why a run submits no further wave."""

    why: Annotated[str, Meta(description="done, idle, cap, cancelled, failing or refused.")]
    text: Annotated[str, Meta(description="The scheduler's message, where it refused.")] = ""
    wave: Annotated[int, Meta(description="The last wave.")] = 0


class JobsStatus(Struct, frozen=True, kw_only=True):
    """The jobs of a run on a site."""

    queued: Annotated[int, Meta(description="Array elements that wait.")]
    running: Annotated[int, Meta(description="Array elements that run.")]
    at_a_time: Annotated[int, Meta(description="Tasks that the running elements work on at a time.")]
    reason: Annotated[str, Meta(description="Why the waiting jobs wait.")]
    start: Annotated[str, Meta(description="Expected start, ISO 8601 in the site's time; empty: not known.")]
    needs: Annotated[str, Meta(description="Action that a user or the staff must take; empty: none.")]
    follows: Annotated[bool, Meta(description="Whether a job that submits the next wave is queued.")]
    silent: Annotated[str, Meta(description="Why the scheduler did not answer; empty: it did.")]
    site: Annotated[str, Meta(description="The site's name.")]
    job: Annotated[str, Meta(description="The newest wave's job number.")]
    numbers: Annotated[tuple[str, ...], Meta(description="The numbers of all jobs of the run.")]
    line: Annotated[str, Meta(description="The state of the jobs as one line.")]
    waves: Annotated[tuple[WaveStatus, ...], Meta(description="Every wave that was submitted.")]
    story: Annotated[tuple[str, ...], Meta(description="The waves as lines; empty where one wave works.")]
    words: Annotated[str, Meta(description="Output of a job in which no worker started.")]
    stopped: Annotated[StopReason | None, Meta(description="Why no further wave is submitted.")]
    why: Annotated[str, Meta(description="The same as a sentence.")]
    hint: Annotated[str, Meta(description="The next command to type; empty: none.")]


class RunStatus(JsonOutput, frozen=True, kw_only=True, tag="packhorse-status/1"):
    """The state of a run."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    name: Annotated[str, Meta(description="The study's name.")]
    tasks: Annotated[int, Meta(description="Tasks of the study, or those that match --where.")] = 0
    waves: Annotated[int, Meta(description="Waves so far.")] = 0
    state: Annotated[
        str,
        Meta(description="empty, running, waiting, done, incomplete, cancelled, lost, or unknown."),
    ]
    process: Annotated[int | None, Meta(description="Process that works on the run on this machine.")] = None
    done: Annotated[int, Meta(description="Tasks with a result.")] = 0
    failed: Annotated[int, Meta(description="Tasks that failed.")] = 0
    missing: Annotated[int, Meta(description="Tasks without an outcome.")] = 0
    counts: Annotated[dict[str, int], Meta(description="Tasks by outcome, without the missing.")] = field(
        default_factory=dict
    )
    unchecked: Annotated[bool, Meta(description="Whether --unchecked skipped the study's checks.")] = False
    causes: Annotated[tuple[Cause, ...], Meta(description="Why tasks failed, the most frequent first.")] = ()
    cold: Annotated[
        str, Meta(description="Why a trial with the first task let no task start warm; empty: no such trial.")
    ] = ""
    jobs: Annotated[JobsStatus | UnsetType, Meta(description="Of a run on a site: its jobs.")] = UNSET
    hint: Annotated[
        str, Meta(description="Of a run on this machine that does not work: the next command; empty: none.")
    ] = ""
    note: Annotated[
        str, Meta(description="Where the run's site cannot be reached: why, and the time of what is shown.")
    ] = ""
    known: Annotated[
        float | UnsetType, Meta(description="Where the site cannot be reached: Unix time of the state shown.")
    ] = UNSET
    carried: Annotated[
        dict[str, int] | UnsetType, Meta(description="Over SSH: the `bytes` that this command transferred.")
    ] = UNSET


class ScriptJobStatus(JsonOutput, frozen=True, kw_only=True, tag="packhorse-job-status/1"):
    """The state of a script job, which `packhorse submit` submitted."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    name: Annotated[str, Meta(description="The run's name.")]
    state: Annotated[str, Meta(description="The job's state, or unknown, ended, lost.")]
    tasks: Annotated[int, Meta(description="Always 1.")]
    done: Annotated[int, Meta(description="1 where the job ended well.")]
    failed: Annotated[int, Meta(description="1 where it failed.")]
    missing: Annotated[int, Meta(description="1 where neither is so, or not yet.")]
    waves: Annotated[int, Meta(description="Always 0.")]
    counts: Annotated[dict[str, int], Meta(description="Always empty.")]
    causes: Annotated[tuple[Cause, ...], Meta(description="Always empty.")]
    unchecked: Annotated[bool, Meta(description="Always false.")]
    script: Annotated[str, Meta(description="The script.")]
    site: Annotated[str, Meta(description="The site's name.")]
    job: Annotated[str, Meta(description="The job's number; empty: not known yet.")]
    folder: Annotated[str, Meta(description="The job's folder on the site.")]
    row: Annotated[JobRow | None, Meta(description="The job as `packhorse jobs` shows it.")]
    line: Annotated[str, Meta(description="The state as one line.")]


class NoRuns(JsonOutput, frozen=True, kw_only=True, tag="packhorse-no-runs/1"):
    """There is no run in this folder."""

    runs: Annotated[int, Meta(description="Always 0.")] = 0


def status(
    where: Path, name: str | None, conditions: Sequence[str] = (), *, accounting: bool = False
) -> RunStatus | ScriptJobStatus:
    """Return the state of a run, from the ends of its journals; with conditions, from all their records.

    With `accounting`, the site's accounting may be queried for how jobs ended, where some did not end well.
    """
    run = find_run(where, name)
    job = read_script_job(run)
    if job is not None:
        # Start-up: a run on this machine needs no code about sites, here and below.
        from packhorse.cluster.script_job import script_job_status

        return msgspec.convert(script_job_status(run, job), ScriptJobStatus)
    store = open_store(run)
    try:
        with store.open():
            store.refresh(lambda: _queue_commands(store))
            if conditions:
                store.fetch_records()
            found = _status(run, store, conditions, accounting=accounting)
            return msgspec.structs.replace(found, **store.transferred())
    except Unreachable as error:
        note = last_known_sentence(store, error)
        found = _status(run, store, conditions, accounting=False, reachable=False)
        return msgspec.structs.replace(found, note=note, known=known_since(run) or UNSET)


def _status(
    run: RunDirectory,
    store: RunStore,
    conditions: Sequence[str],
    *,
    accounting: bool,
    reachable: bool = True,
    recount: bool = False,
) -> RunStatus:
    """Return the state of a run, which may be on a site; of its jobs nothing is known where that is not reachable.

    With `recount`, outcomes are those of all records. The counts of a plan lack what workers of older waves recorded
    after it was made, as in a job that its scheduler could not end.
    """
    name, plan, waves = run.about().name, run.latest(), len(run.waves())
    if plan is None:
        return RunStatus(run=str(run.path), name=name, state="empty", waves=waves)
    holder = lock_holder(run.path)
    if conditions:
        counts = _counts_of(run, conditions)
        total = sum(counts.values())
        counts.pop("MISSING", None)
    elif recount:
        store.fetch_records()
        counts, total = dict(latest_outcomes(run).fold.counts), plan.total
        counts.pop("MISSING", None)
    else:
        counts, total = run_counts(run, plan).by_outcome, plan.total
    done = counts.get("OK", 0)
    failed = sum(number for outcome, number in counts.items() if outcome not in ("OK", "MISSING"))
    state = "done" if done + failed >= total else "incomplete"
    warm = warm_start(run, plan.wave)
    on_site = (run.path / "cluster.json").exists()
    progress = "complete" if done >= total and not conditions else state
    jobs = _jobs(store, progress, counts, accounting=accounting) if on_site and reachable else None
    if jobs is not None and jobs[0] in UNDONE and waves > 1 and not (conditions or recount):
        return _status(run, store, conditions, accounting=accounting, recount=True)
    if not reachable:
        state = "done" if state == "done" else "unknown"
    elif jobs is not None:
        state = jobs[0]
    elif holder is not None:
        state = "running"
    return RunStatus(
        run=str(run.path),
        name=name,
        waves=waves,
        state=state,
        process=holder,
        tasks=total,
        done=done,
        failed=failed,
        missing=max(0, total - done - failed),
        counts={outcome: number for outcome, number in counts.items() if number},
        unchecked=plan.unchecked,
        cold="" if warm is None or warm.warm else warm.sentence,
        causes=msgspec.convert(cause_list(run) if failed else [], tuple[Cause, ...]),
        jobs=UNSET if jobs is None else jobs[1],
        hint=_hint(run, state, failed, counts) if jobs is None and reachable else "",
    )


def _hint(run: RunDirectory, state: str, failed: int, counts: dict[str, int]) -> str:
    """Return the command with which a run on this machine goes on."""
    where = shlex.quote(str(run.path))
    if state == "incomplete":
        about = run.about()
        if not about.study:
            return f"packhorse retry {where} --lost"
        usual = Path(about.study).parent / "runs" / about.name == run.path
        return f"packhorse run {shlex.quote(about.study)}" + ("" if usual else f" --run {where}")
    if failed and state == "done":
        return f"packhorse logs {where} --failed; {retry_command(where, counts)}"
    return ""


def _queue_commands(store: RunStore) -> list[Command]:
    """Return the scheduler commands to start with the refresh of a run on a site."""
    from packhorse.cluster.queue import Queue

    return Queue(store.transport.site, store.transport).next_commands()


def _counts_of(run: RunDirectory, conditions: Sequence[str]) -> dict[str, int]:
    """Count the tasks that meet the conditions, by outcome."""
    outcomes = latest_outcomes(run)
    counts: dict[str, int] = {}
    for index in TaskFilter(outcomes.space, conditions):
        outcome = outcomes.fold.state(index)
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def _jobs(
    store: RunStore, progress: str, counts: dict[str, int], *, accounting: bool
) -> tuple[str, JobsStatus] | None:
    """Return the state of a run on a site, and its jobs; None where none was submitted.

    `progress` is by the tasks alone: "complete" where each has a result, "done" where each has an outcome, or
    "incomplete". A run is done when its tasks are complete, whatever the scheduler says.
    """
    from packhorse.cluster.job_state import job_state, job_state_line
    from packhorse.cluster.next_step import NO_CAUSE, job_cause
    from packhorse.cluster.queue import Queue

    run = store.run
    submissions = Submissions(run)
    cluster, latest, stopped = submissions.cluster(), submissions.latest(), submissions.stopped()
    if cluster is None or latest is None:
        return None
    queue = Queue(cluster.site, store.transport)
    found = job_state(run, queue, queue.jobs())
    if found.alive and (submissions.cancelled or found.asked < submissions.stopped_at()):
        found = job_state(run, queue, queue.jobs(0))  # the cached reply may be older than the end of the jobs
    state: str = "waiting" if found.state == "following" else found.state
    gone = found.state == "gone"
    if progress == "complete":
        state = "done"
    elif gone:
        cancelled = submissions.cancelled or (stopped is not None and stopped.why == "cancelled")
        ended = "cancelled" if cancelled else progress if stopped else "lost"
        state = progress if progress == "done" else ended
    history, lines, output = _waves(run, queue if accounting else None, found.wave)
    cause = job_cause(run, history, queue.dialect.memory_words) if gone else NO_CAUSE
    reason, hint = (
        ("", "") if progress == "complete" else _next(run, stopped, state, counts, cause, gone=gone)
    )
    return state, JobsStatus(
        queued=found.queued,
        running=found.running,
        at_a_time=found.at_a_time,
        reason=found.reason,
        start=found.start,
        needs=found.needs,
        follows=found.follows,
        silent=found.silent,
        site=cluster.site.name,
        job=latest.job,
        numbers=found.numbers,
        line=job_state_line(found),
        waves=msgspec.convert(history, tuple[WaveStatus, ...], from_attributes=True),
        story=lines,
        words=output if gone else "",
        stopped=None if stopped is None else msgspec.convert(stopped, StopReason, from_attributes=True),
        why=reason,
        hint=hint,
    )


def _waves(
    run: RunDirectory, queue: Queue | None, working: int
) -> tuple[list[WaveHistory], tuple[str, ...], str]:
    """Return the waves of a run on a site, the same as lines where they say more than the tasks, and a failed job's output.

    A queue is queried for how jobs ended.
    """
    from packhorse.cluster.wave_history import failed_job_output, wave_lines, waves_of, with_job_ends

    waves = waves_of(run)
    if queue is not None:
        waves = with_job_ends(waves, run, queue, working)
    shown = len(waves) > 1 or any(wave.ended for wave in waves)
    return waves, tuple(wave_lines(waves)) if shown else (), failed_job_output(run, waves)


def _next(
    run: RunDirectory,
    stopped: StopRecord | None,
    state: str,
    counts: dict[str, int],
    cause: JobCause,
    *,
    gone: bool,
) -> tuple[str, str]:
    """Return why no further wave is submitted, and the next command to type; both empty while a run goes on."""
    from packhorse.cluster.next_step import next_step, why_stopped

    if stopped is not None:
        why = why_stopped(stopped.why, stopped.text, cause)
        return why, next_step(run, stopped.why, counts, stopped.text, cause)
    return cause.text if state == "lost" else "", next_step(run, state, counts, cause=cause) if gone else ""
