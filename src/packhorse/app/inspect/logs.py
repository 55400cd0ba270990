"""Output of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from packhorse.app.inspect.status import RunStatus, status
from packhorse.model.json_output import JsonOutput
from packhorse.project.task_filter import TaskFilter, one_task
from packhorse.remote.last_known import fetch_or_note
from packhorse.remote.open_store import open_store
from packhorse.results.journal import Record
from packhorse.rundata.outcomes import Outcomes, latest_outcomes
from packhorse.rundata.task_log import kept_files, kept_folder, last_attempt, printed
from packhorse.rundir.directory import find_run
from packhorse.text.amounts import counted

MOST = 20  # failed tasks whose output is shown at a time


class TaskLog(Struct, frozen=True, kw_only=True):
    """The output of a task."""

    task: Annotated[int, Meta(description="The task's index.")]
    text: Annotated[str, Meta(description="What it printed.")]
    state: Annotated[str, Meta(description="Its outcome: OK, FAILED, TIMEOUT, MEMORY, UNFINISHED, MISSING.")]
    files: Annotated[tuple[str, ...], Meta(description="Files that were kept of it, in `folder`.")]
    folder: Annotated[str, Meta(description="The folder of these files, relative to the run directory.")]
    partial: Annotated[bool, Meta(description="Whether it was ended before it had written or printed all.")]


class Logs(JsonOutput, frozen=True, kw_only=True, tag="packhorse-logs/1"):
    """The output of tasks."""

    logs: Annotated[tuple[TaskLog, ...], Meta(description="The output of each task.")]
    note: Annotated[
        str, Meta(description="Where the run's site cannot be reached: why, and the time of what is shown.")
    ] = ""
    why: Annotated[
        str, Meta(description="Where no task failed and some have no result: what is known of the reason.")
    ] = ""


class JobLog(Struct, frozen=True, kw_only=True):
    """The output of a job, or of an element of an array."""

    heading: Annotated[str, Meta(description="The file; empty where there is only one.")]
    text: Annotated[str, Meta(description="The end of the file.")]


class JobLogs(JsonOutput, frozen=True, kw_only=True, tag="packhorse-job-logs/1"):
    """The output of a job."""

    logs: Annotated[tuple[JobLog, ...], Meta(description="The output in each file.")]


def logs(where: Path, name: str | None, task: int | None, conditions: Sequence[str], *, failed: bool) -> Logs:
    """Return the output of one task, or of up to twenty tasks that failed."""
    run = find_run(where, name)
    store = open_store(run)
    note = fetch_or_note(store, store.fetch_records)
    outcomes = latest_outcomes(run)
    if task is None and (failed or not conditions):
        only = TaskFilter(outcomes.space, conditions)
        ranges = only.within(outcomes.fold.ranges("FAILED", "TIMEOUT", "MEMORY", "UNFINISHED"))
        indices = [index for first, end in ranges for index in range(first, end)][:MOST]
    else:
        indices = [one_task(outcomes.space, task, conditions)]
    why = "" if indices else _why_missing(where, name, outcomes.fold.counts["MISSING"])
    return Logs(logs=tuple(_task_log(outcomes, index) for index in indices), note=note, why=why)


def _why_missing(where: Path, name: str | None, missing: int) -> str:
    """Return why tasks have no result although none failed, and what to do; an empty text where none is missing."""
    found = status(where, name, accounting=True) if missing else None
    if not isinstance(found, RunStatus):
        return ""
    text = f"no task failed; {counted(missing, 'task')} without a result: the run is {found.state}"
    if not found.jobs:
        return text
    return "\n".join(filter(None, [text, found.jobs.why or found.jobs.line, found.jobs.hint]))


def _no_output(record: Record) -> str:
    cause = f"\n{record.cause}" if record.outcome != "OK" and record.cause else ""
    return f"(no output beside its result){cause}"


def _task_log(outcomes: Outcomes, index: int) -> TaskLog:
    found, state = last_attempt(outcomes, index), outcomes.fold.state(index)
    if found is None:
        return TaskLog(
            task=index, text="this task has not finished yet", state=state, files=(), folder="", partial=False
        )
    journal, record = found
    return TaskLog(
        task=index,
        text=printed(outcomes.run, journal, record) or _no_output(record),
        state=state,
        files=tuple(kept_files(outcomes.run, journal, record)),
        folder=kept_folder(journal, record),
        partial=record.outcome not in ("OK", "FAILED"),
    )
