"""Summarising a run's table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packhorse.model.errors import RunError
from packhorse.model.study import Summary
from packhorse.project.task_filter import TaskFilter
from packhorse.rundata.outcomes import frozen_study
from packhorse.rundir.directory import find_run

if TYPE_CHECKING:
    import polars as pl


def summarise_run(
    where: Path,
    said: str | None,
    by: Sequence[str],
    of: Sequence[str],
    quantiles: Sequence[float],
    chosen: Sequence[str],
) -> pl.DataFrame:
    """Return the summary of a run's table, as asked for or as its study says."""
    import polars as pl

    from packhorse.results.summary import summarise

    run = find_run(where, said)
    table = run.path / "results.parquet"
    if not table.exists():
        raise RunError(f"{run.path} has no table yet", f"packhorse collect {run.path}")
    frame = pl.read_parquet(table)
    study = frozen_study(run)
    wanted = study.summary or Summary()
    plan = run.latest()
    assert plan is not None
    space = run.space(plan.space)
    if chosen:
        only = TaskFilter(space, chosen)
        keep = [index in only for index in frame["ph_index"]]
        frame = frame.filter(pl.Series(keep, dtype=pl.Boolean))
    factors = [axis.names for axis in space.arithmetic.axes if axis.count > 1 and not axis.resample]
    names = list(by or wanted.by or [name for group in factors for name in group])
    return summarise(frame, names, tuple(of or wanted.of), tuple(quantiles or wanted.quantiles))
