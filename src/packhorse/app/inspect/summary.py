"""Summarise the table of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta
from msgspec.structs import asdict

from packhorse import check
from packhorse.model.errors import RunError
from packhorse.model.json_output import JsonOutput
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Summary
from packhorse.project.task_filter import TaskFilter
from packhorse.rundata.outcomes import frozen_study
from packhorse.rundir.directory import find_run

if TYPE_CHECKING:
    import polars as pl

    from packhorse.results.summary import RunSummary


class SummaryTable(JsonOutput, frozen=True, kw_only=True, tag="packhorse-summary/1"):
    """The summary of a run's table."""

    rows: Annotated[
        tuple[dict[str, Any], ...],
        Meta(
            description="A row for each point and column: parameters, statistics and their `_mcse`; or for each point "
            "and performance measure: `measure`, `value`, `mcse`, `count`, `failed`."
        ),
    ]
    over_all: Annotated[
        tuple[dict[str, Any], ...],
        Meta(description="Where there are several points: a row for each column, over all of them."),
    ] = ()


def columns_of(summary: Summary | None, given: dict[str, Any] | None = None) -> check.Columns:
    """Return where a table has its estimates, as a study and options say."""
    known = check.Columns.__struct_fields__
    values = {name: value for name, value in asdict(summary or Summary()).items() if name in known}
    return check.Columns(**{**values, **(given or {})})


def summarise_run(
    where: Path,
    name: str | None,
    by: Sequence[str],
    of: Sequence[str],
    quantiles: Sequence[float],
    conditions: Sequence[str],
) -> RunSummary:
    """Return the summary of a run's table, as requested or as its study defines it.

    Where the study names its estimates, these are the performance measures, unless columns or quantiles are requested.
    """
    import polars as pl

    from packhorse.results.summary import RunSummary, summarise_points

    run = find_run(where, name)
    table = run.path / "results.parquet"
    if not table.exists():
        raise RunError(f"{run.path} has no table yet", f"packhorse collect {run.argument}")
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
    names = list(by or defaults.by or varied(space))
    if defaults.estimate and not of and not quantiles:
        return RunSummary(measured_cells(frame, defaults, space, names, some=bool(conditions)), None)
    columns, chosen = tuple(of or defaults.of), tuple(quantiles or defaults.quantiles)
    return summarise_points(frame, names, columns, chosen)


def varied(space: ParameterSpace) -> list[str]:
    """Return the parameters with several levels, without the indices of resampling."""
    axes = space.arithmetic.axes
    return [name for axis in axes if axis.count > 1 and not axis.resample for name in axis.names]


def measured_cells(
    frame: pl.DataFrame,
    summary: Summary,
    space: ParameterSpace,
    by: Sequence[str] = (),
    *,
    some: bool = False,
) -> pl.DataFrame:
    """Return the performance measures of a run's table in each cell of `by` (default: as the study groups) and method.

    Replicates without a row have failed, unless a cell has several points, or the frame has only `some` of the tasks.
    """
    names = list(by or summary.by or varied(space))
    method = [summary.method] if summary.method and summary.method not in names else []
    whole = not some and set(names) >= set(varied(space))
    expected = space.replicates if whole else None
    return check.performance(frame, columns_of(summary), [*names, *method], expected=expected)
