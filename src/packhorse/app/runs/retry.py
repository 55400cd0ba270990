"""Select the tasks of a run to try again, with other resources where asked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from msgspec.structs import replace

from packhorse.app.inspect.collect import collect
from packhorse.execution.next_wave import unfinished
from packhorse.execution.run_context import source_of
from packhorse.execution.run_model import RetrySelection, RunOptions
from packhorse.model.errors import RunError, UsageError
from packhorse.project.sites import site_name
from packhorse.project.source import Source
from packhorse.project.task_filter import TaskFilter
from packhorse.remote.open_store import open_store
from packhorse.results.efficiency import MEMORY_MARGIN, largest_peak
from packhorse.results.fold import to_ranges
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundir.directory import find_run
from packhorse.rundir.submissions import Submissions
from packhorse.text import units


def retry_source(
    where: Path, name: str | None, conditions: Sequence[str], options: dict[str, Any], place: dict[str, Any]
) -> tuple[Source, RunOptions, dict[str, Any]]:
    """Return the study of a run, the options that run its failed tasks again, and the site.

    `options` may hold `memory` and `time` (an amount, or a multiple such as `2x`) and `lost`. `place` are the site
    options of the command line; where they name no site, it is the run's own, with the request of that run.
    Raises RunError where no task has failed, UsageError for a multiple of an amount that the study does not have.
    """
    run = find_run(where, name)
    open_store(run).fetch_all()
    cluster = Submissions(run).cluster()
    site = site_name(place["site"], where) if "site" in place else None
    if cluster is not None and site is None:
        site = cluster.site.name
        called = cluster.chosen.get("site", site)
        place = {**cluster.chosen, **place, "site": cluster.site, "called": called}
    merged = collect(run).merge  # only the merge knows whether a result can be read
    outcomes = latest_outcomes(run)
    selected = TaskFilter(outcomes.space, conditions)
    memory, time, lost = (options.pop(name, None) for name in ("memory", "time", "lost"))
    seen = largest_peak(outcomes.fold.journals) if memory else 0.0
    source = with_resources(source_of(run, site), memory, time, seen_memory=seen)
    if lost:
        gone = selected.within(unfinished(outcomes.fold))
        if not gone:
            raise RunError("no lost task to run again", f"packhorse status {run.argument}")
        return source, RunOptions(run=run.path, retry=RetrySelection(ranges=tuple(gone)), **options), place
    failed = selected.within(outcomes.fold.ranges("FAILED", "TIMEOUT", "MEMORY", "UNFINISHED"))
    if not failed:
        raise RunError("no failed task to run again", f"packhorse status {run.argument}")
    unreadable = selected.within(to_ranges(sorted(merged.unreadable)))
    retry = RetrySelection(ranges=tuple(failed), unreadable=tuple(unreadable))
    return source, RunOptions(run=run.path, retry=retry, **options), place


def with_resources(
    source: Source, memory: str | None, time: str | None, *, seen_memory: float = 0.0
) -> Source:
    """Return the study with another memory and time of its tasks.

    A multiple of its memory is at least what a task was seen to use, `seen_memory` in MiB, with a margin.
    """
    study = source.study
    resources = study.resources
    if memory:
        amount = _scaled(memory, resources.memory, "memory", units.memory)
        if memory.strip().lower().endswith(("x", "×")):
            amount = max(amount, math.ceil(MEMORY_MARGIN * seen_memory))
        resources = replace(resources, memory=amount)
    limit = study.time_limit
    if time:
        if resources.time is None and limit is None and time.lower().endswith("x"):
            _nothing_to_scale(time, "time")
        if resources.time is not None or not time.lower().endswith("x"):
            resources = replace(resources, time=_scaled(time, resources.time, "time", units.duration))
        limit = None if limit is None else float(_scaled(time, limit, "time", units.duration))
    return replace(source, study=replace(study, resources=resources, time_limit=limit))


def _scaled(amount: str, current: float | None, what: str, parse: Callable[[str, str], float]) -> int:
    """Return an amount as typed, or a multiple of the current one."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[x×]", amount.strip(), re.IGNORECASE)
    if number is None:
        return math.ceil(parse(amount, f"--{what}"))
    if current is None:
        _nothing_to_scale(amount, what)
    return math.ceil(float(number[1]) * current)


def _nothing_to_scale(amount: str, what: str) -> NoReturn:
    message = f"--{what} {amount}: the study has no {what} to multiply"
    raise UsageError(message, f"give an amount with its unit: --{what} {'4GB' if what == 'memory' else '2h'}")
