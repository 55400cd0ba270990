"""Select the tasks of a run to try again, with other resources where asked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from packhorse.app.inspect.collect import collect
from packhorse.execution.next_wave import unfinished
from packhorse.execution.run_model import RetrySelection, RunOptions
from packhorse.execution.saved_study import source_of
from packhorse.model.errors import RunError, UsageError
from packhorse.plan.waves import joined
from packhorse.project.sites import site_name
from packhorse.project.source import Source
from packhorse.project.task_filter import TaskFilter
from packhorse.remote.open_store import open_store
from packhorse.results.fold import to_ranges
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundir.directory import find_run
from packhorse.rundir.submissions import Submissions
from packhorse.text import units


def retry_source(
    where: Path, said: str | None, chosen: Sequence[str], options: dict[str, Any], place: dict[str, Any]
) -> tuple[Source, RunOptions, dict[str, Any]]:
    """Return the study of a run, the options that run its failed tasks again, and where.

    `options` may hold `memory` and `time` (a size, or `2x`: so many times as much) and `lost`. `place` is what the
    command line says of the site; without one, it is the run's own, as it was, asked for what it was asked for.
    """
    run = find_run(where, said)
    open_store(run).fetch_all()
    cluster = Submissions(run).cluster()
    site = site_name(place["site"], where) if "site" in place else None
    if cluster is not None and site is None:
        site = cluster.site.name
        called = cluster.chosen.get("site", site)
        place = {**cluster.chosen, **place, "site": cluster.site, "called": called}
    words = latest_outcomes(run)
    only = TaskFilter(words.space, chosen)
    memory, time, lost = (options.pop(name, None) for name in ("memory", "time", "lost"))
    source = more(source_of(run, site), memory, time)
    if lost:
        gone = only.within(unfinished(words.fold))
        if not gone:
            raise RunError("no lost task to run again", f"packhorse status {run.path}")
        return source, RunOptions(run=run.path, retry=RetrySelection(ranges=tuple(gone)), **options), place
    failed = only.within(words.fold.ranges("FAILED", "TIMEOUT", "MEMORY", "UNFINISHED"))
    # Whether a result can be read is known only to who reads it.
    unreadable = only.within(to_ranges(sorted(collect(run).merge.unreadable)))
    if not failed and not unreadable:
        raise RunError("no failed task to run again", f"packhorse status {run.path}")
    retry = RetrySelection(ranges=tuple(joined([*failed, *unreadable])), unreadable=tuple(unreadable))
    return source, RunOptions(run=run.path, retry=retry, **options), place


def more(source: Source, memory: str | None, time: str | None) -> Source:
    """Return a study whose tasks ask for other memory and time."""
    study = source.study
    resources = study.resources
    if memory:
        resources = replace(resources, memory=_scaled(memory, resources.memory, "memory", units.memory))
    limit = study.time_limit
    if time:
        if resources.time is None and limit is None and time.lower().endswith("x"):
            _nothing_to_scale(time, "time")
        if resources.time is not None or not time.lower().endswith("x"):
            resources = replace(resources, time=_scaled(time, resources.time, "time", units.duration))
        limit = None if limit is None else float(_scaled(time, limit, "time", units.duration))
    return replace(source, study=replace(study, resources=resources, time_limit=limit))


def _scaled(said: str, now_is: float | None, what: str, parse: Callable[[str, str], float]) -> int:
    """Return an amount: as it is said, or so many times what it was."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*[x×]", said.strip(), re.IGNORECASE)
    if number is None:
        return math.ceil(parse(said, f"--{what}"))
    if now_is is None:
        _nothing_to_scale(said, what)
    assert now_is is not None
    return math.ceil(float(number[1]) * now_is)


def _nothing_to_scale(said: str, what: str) -> None:
    message = f"--{what} {said}: the study names no {what} that could be multiplied"
    raise UsageError(message, f"say an amount with its unit: --{what} {'4GB' if what == 'memory' else '2h'}")
