"""Summarise the table of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from packhorse.model.errors import RunError
from packhorse.model.json_output import JsonOutput
from packhorse.model.study import Summary
from packhorse.project.task_filter import TaskFilter
from packhorse.rundata.outcomes import frozen_study
from packhorse.rundir.directory import find_run

if TYPE_CHECKING:
    import polars as pl


class SummaryTable(JsonOutput, frozen=True, kw_only=True, tag="packhorse-summary/1"):
    """The summary of a run's table."""

    rows: Annotated[
        tuple[dict[str, Any], ...],
        Meta(description="A row for each point and column: parameters, statistics and their `_mcse`."),
    ]
    over_all: Annotated[
        tuple[dict[str, Any], ...],
        Meta(description="Where there are several points: a row for each column, over all of them."),
    ] = ()


class RunSummary(Struct, frozen=True):
    """Statistics of each point, and the same over all points where there are several."""

    points: pl.DataFrame
    over_all: pl.DataFrame | None

    def lines(self) -> list[str]:
        """Return both as one table of text."""
        import polars as pl

        from packhorse.results.table_files import frame_lines

        if self.over_all is None:
            return frame_lines(self.points)
        groups = self.points.columns[: -len(self.over_all.columns)]
        labels = [pl.lit("all" if at == 0 else "").alias(name) for at, name in enumerate(groups)]
        points = self.points.with_columns(pl.col(groups).cast(pl.String))
        return frame_lines(pl.concat([points, self.over_all.select(*labels, pl.all())]))


def summarise_run(
    where: Path,
    name: str | None,
    by: Sequence[str],
    of: Sequence[str],
    quantiles: Sequence[float],
    conditions: Sequence[str],
) -> RunSummary:
    """Return the summary of a run's table, as requested or as its study defines it."""
    import polars as pl

    from packhorse.results.summary import summarise

    run = find_run(where, name)
    table = run.path / "results.parquet"
    if not table.exists():
        raise RunError(f"{run.path} has no table yet", f"packhorse collect {run.path}")
    frame = pl.read_parquet(table)
    study = frozen_study(run)
    defaults = study.summary or Summary()
    plan = run.latest()
    assert plan is not None
    space = run.space(plan.space)
    if conditions:
        only = TaskFilter(space, conditions)
        keep = [index in only for index in frame["ph_index"]]
        frame = frame.filter(pl.Series(keep, dtype=pl.Boolean))
    factors = [axis.names for axis in space.arithmetic.axes if axis.count > 1 and not axis.resample]
    names = list(by or defaults.by or [name for group in factors for name in group])
    columns, chosen = tuple(of or defaults.of), tuple(quantiles or defaults.quantiles)
    points = summarise(frame, names, columns, chosen)
    column = points.columns[len(names)]
    columns = tuple(points[column].unique(maintain_order=True))
    several = len(points) > len(columns)
    if not several:
        return RunSummary(points, None)
    over_all = summarise(frame, (), columns, chosen)
    over_all.columns = points.columns[
        len(names) :
    ]  # a statistic with the name of a parameter has another one
    return RunSummary(points, over_all)
