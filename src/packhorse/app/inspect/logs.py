"""Output of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packhorse.project.task_filter import TaskFilter, one_task
from packhorse.remote.open_store import open_store
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundata.task_log import log_of
from packhorse.rundir.directory import find_run


def logs(
    where: Path, said: str | None, task: int | None, chosen: Sequence[str], *, failed: bool
) -> list[tuple[int, str]]:
    """Return (index, what it printed) of one task, or of up to twenty that failed."""
    run = find_run(where, said)
    open_store(run).fetch_records()
    words = latest_outcomes(run)
    if task is None and (failed or not chosen):
        only = TaskFilter(words.space, chosen)
        ranges = only.within(words.fold.ranges("FAILED", "TIMEOUT", "MEMORY", "UNFINISHED"))
        indices = [index for a, b in ranges for index in range(a, b)][:20]
    else:
        indices = [one_task(words.space, task, chosen)]
    return [(index, log_of(run, words.fold, index)) for index in indices]
