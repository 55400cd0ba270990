"""Add replicates to a study until the Monte Carlo error of its results is as small as wished.

After each wave the MCSE of the measure is computed in every cell, and the run grows to the replicates that the largest
one needs: an MCSE falls as 1 / sqrt(n). All cells grow alike, and the seed of a replicate is what it would have been
in a run of a fixed size. That intervals keep their coverage with such a rule, as the wished error becomes small,
was shown by Chow and Robbins (1965), Annals of Mathematical Statistics 36, 457-462.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from packhorse import check
from packhorse.app.inspect.summary import measured_cells
from packhorse.execution.run_model import Detached, Outcome, RunOptions
from packhorse.model.errors import UsageError
from packhorse.model.study import Study, Until
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.rundata.replicates_until import (
    Look,
    UntilEnd,
    UntilRecord,
    end_sentence,
    look_sentence,
    read_until,
    write_until,
)
from packhorse.rundir.directory import RunDirectory

LEAST_GROWTH = 1.1  # of one wave to the next, so that a wave is worth its start
MOST_GROWTH = 10.0  # the error that few replicates have is itself uncertain

End = TypeVar("End", Outcome, Outcome | Detached)


def run_until(
    source: Source, options: RunOptions, reporter: Reporter, execute: Callable[[Source, RunOptions], End]
) -> End:
    """Run a study by `execute`, and again with more replicates until they suffice, if the study has a rule for it.

    It stops as well at the largest number of replicates, where a wave stops or leaves tasks without an outcome, and
    where the measure does not exist. Later waves run with the code of the first one.
    Raises UsageError where NumPy is not installed.
    """
    until, began, ran = source.study.until, time.monotonic(), 0
    if until is None or options.retry is not None or options.only is not None:
        return execute(source, options)
    _ = check.performance  # if NumPy is missing, that is an error before the first task and not after it
    while True:
        outcome = execute(source, options)
        if isinstance(outcome, Detached):
            reporter.say(
                "When its jobs have ended, run the same command again: it adds replicates if needed."
            )
            return outcome
        ran += outcome.ran
        outcome = replace(outcome, ran=ran, seconds=round(time.monotonic() - began, 3))
        if outcome.stopped or outcome.missing or not outcome.results:
            return outcome
        run = RunDirectory(Path(outcome.run))
        try:
            look = look_at(run, source.study, until)
        except UsageError as error:
            return _noted(outcome, f"no replicates were added: {error.message}; {error.hint}")
        record = _recorded(run, until, look)
        if record.end is not None:
            return _noted(outcome, end_sentence(record))
        reporter.say(f"{look_sentence(until, look)}; going on to {look.next:,}")
        source = replace(source, study=replace(source.study, replicates=look.next))
        options = replace(options, fresh=False, old_code=True)


def look_at(run: RunDirectory, study: Study, until: Until) -> Look:
    """Return the largest MCSE in the table of a run, and how many replicates to go on to (0: no more).

    Raises UsageError where the table does not have the measure.
    """
    import polars as pl

    plan = run.latest()
    assert plan is not None
    assert study.summary is not None
    space = run.space(plan.space)
    measured = measured_cells(pl.read_parquet(run.path / "results.parquet"), study.summary, space)
    needed = check.replicates_needed(measured, until.of, until.mcse)
    rows = needed.iter_rows(named=True)
    worst = max(rows, key=lambda row: row["needed"] / row["count"] if row["needed"] else math.inf)
    now = space.replicates
    look = Look(
        replicates=now,
        cells=needed.height,
        cell={name: worst[name] for name in needed.columns[: needed.columns.index("measure")]},
        mcse=worst["mcse"],
        # Replicates that failed do not count, so as many more of them are needed.
        needed=math.ceil(now * worst["needed"] / worst["count"]) if worst["needed"] else None,
    )
    if not worst["more"] or now >= until.at_most:
        return look
    wanted = min(max(look.needed or 0, LEAST_GROWTH * now), MOST_GROWTH * now, until.at_most)
    return replace(look, next=math.ceil(wanted))


def _recorded(run: RunDirectory, until: Until, look: Look) -> UntilRecord:
    """Add a look to the record of the run and return it; another rule, or a new start, begins another record."""
    record = read_until(run)
    looks = record.looks if record is not None and record.until == until else ()
    looks = (*(one for one in looks if one.replicates < look.replicates), look)
    written = UntilRecord(until=until, looks=looks, end=_end(look))
    write_until(run, written)
    return written


def _end(look: Look) -> UntilEnd | None:
    if look.next:
        return None
    if look.needed is None:
        return UntilEnd.CANNOT_TELL
    return UntilEnd.REACHED if look.needed <= look.replicates else UntilEnd.AT_MOST


def _noted(outcome: Outcome, sentence: str) -> Outcome:
    report = outcome.report
    return replace(outcome, report=replace(report, notes=(*report.notes, sentence)))
