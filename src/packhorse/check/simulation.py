"""Performance measures of a table: one row for each cell, method and measure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from packhorse.check.measures import (
    PROPORTIONS,
    Array,
    Sample,
    bootstrap,
    measures,
    normal_quantile,
    without_tails,
)
from packhorse.check.tables import cell_name, cells, column, factors_of, read_table
from packhorse.model.errors import UsageError
from packhorse.model.study import EstimateColumns

TIMES = 1000  # resamples of the bootstrap


class Columns(EstimateColumns, frozen=True, kw_only=True):
    """Where a table has the estimates, which must be named, and what belongs to them; see `EstimateColumns`."""

    estimate: str


def performance(
    table: Any,
    columns: Columns,
    by: Sequence[str] | None = None,
    *,
    expected: int | None = None,
    mcse: str = "formula",
    trim: float = 0.0,
    winsorise: float = 0.0,
    seed: int = 1,
) -> pl.DataFrame:
    """Return a row for each cell of `by`, method and measure: `measure`, `value`, `mcse`, `count`, `failed`.

    `table` is anything that `read_table` takes. `by` defaults to the parameters of a table of Packhorse. `count` is
    the number of replicates that entered the measure, `failed` the number of replicates of this method in which it
    did not converge; with `expected` (replicates in each cell), rows that are missing have failed, too. `mcse` is
    "formula" or "bootstrap"; `trim` and `winsorise` are fractions of each tail, and their MCSE is by the bootstrap.

    Raises UsageError for a missing or non-numeric column, and for options outside of their range.
    """
    frame = read_table(table)
    groups = _groups(frame, columns, by)
    _check_options(columns, mcse, trim, winsorise)
    rows: list[dict[str, Any]] = []
    for cell, part in cells(frame, groups):
        sample = sample_of(part, columns, missing=_missing(part, expected, cell))
        if trim or winsorise:
            sample = without_tails(sample, trim or winsorise, keep=bool(winsorise))
        resampled = bootstrap(sample, TIMES, seed) if mcse == "bootstrap" or trim or winsorise else {}
        failed = int((sample.converged == 0).sum())
        for one in measures(sample):
            error = resampled.get(one.name, float(one.mcse))
            values = {"value": _finite(one.value), "mcse": _finite(error), "count": int(one.count)}
            rows.append({**cell, "measure": one.name, **values, "failed": failed})
    numbers = {
        "measure": pl.String,
        "value": pl.Float64,
        "mcse": pl.Float64,
        "count": pl.Int64,
        "failed": pl.Int64,
    }
    return pl.DataFrame(rows, schema={**{name: frame.schema[name] for name in groups}, **numbers})


def _groups(frame: pl.DataFrame, columns: Columns, by: Sequence[str] | None) -> list[str]:
    names = [*(factors_of(frame) if by is None else by)]
    if columns.method and columns.method not in names:
        names.append(columns.method)
    return names


def _check_options(columns: Columns, mcse: str, trim: float, winsorise: float) -> None:
    if mcse not in ("formula", "bootstrap"):
        raise UsageError(f"mcse is 'formula' or 'bootstrap', not {mcse!r}")
    if trim and winsorise:
        raise UsageError("a sample is trimmed or winsorised, not both", "give one of trim, winsorise")
    for name, value in (("trim", trim), ("winsorise", winsorise)):
        if not 0 <= value < 0.5:
            raise UsageError(f"{name} is a fraction of each tail below 0.5, not {value}")
    if not 0 < columns.level < 1:
        raise UsageError(
            f"the level of an interval is between 0 and 1, not {columns.level}", "write 0.95 for 95 %"
        )
    if bool(columns.low) != bool(columns.high):
        raise UsageError("an interval needs both ends", "name the columns low and high")


def _missing(part: pl.DataFrame, expected: int | None, cell: Mapping[str, Any]) -> int:
    if expected is None:
        return 0
    if part.height > expected:
        message = f"{cell_name(cell)} has {part.height:,} rows, and {expected:,} replicates were expected"
        raise UsageError(message, "name the column of methods, or more columns to group by")
    return expected - part.height


def sample_of(part: pl.DataFrame, columns: Columns, missing: int = 0) -> Sample:
    """Return the replicates of one cell; `missing` ones that have no row are added as failed.

    Raises UsageError for a missing or non-numeric column.
    """

    def values(name: str, use: str) -> Array:
        if not name:
            return np.full(part.height + missing, np.nan)
        found = column(part, name, use).to_numpy().astype(np.float64)
        return np.concatenate([found, np.full(missing, np.nan)])

    estimate = values(columns.estimate, "the estimate")
    ok = np.isfinite(estimate)
    if columns.converged:
        ok &= values(columns.converged, "whether the method converged") == 1
    if isinstance(columns.truth, str):
        truth = values(columns.truth, "the truth")
    else:
        truth = np.full(estimate.shape, np.nan if columns.truth is None else float(columns.truth))
    se = values(columns.se, "the standard error")
    se = np.where(ok & np.isfinite(se) & (se >= 0), se, np.nan)
    low, high = _interval(estimate, se, columns, values)
    return Sample(
        estimate=np.where(ok, estimate, np.nan),
        truth=truth,
        se=se,
        low=np.where(ok, low, np.nan),
        high=np.where(ok, high, np.nan),
        covered=np.where(ok, _covered(truth, low, high, values(columns.covered, "coverage")), np.nan),
        rejected=np.where(ok, _rejected(columns, low, high, values(columns.p_value, "the p-value")), np.nan),
        converged=ok.astype(np.float64),
        null=columns.null,
    )


def _interval(estimate: Array, se: Array, columns: Columns, values: Any) -> tuple[Array, Array]:
    if columns.low:
        return values(columns.low, "the lower end"), values(columns.high, "the upper end")
    half = normal_quantile(columns.level) * se
    return estimate - half, estimate + half


def _covered(truth: Array, low: Array, high: Array, given: Array) -> Array:
    if not np.isnan(given).all():
        return given
    known = ~np.isnan(truth + low + high)
    return np.where(known, (low <= truth) & (truth <= high), np.nan)


def _rejected(columns: Columns, low: Array, high: Array, p_value: Array) -> Array:
    if columns.p_value:
        return np.where(np.isnan(p_value), np.nan, p_value < 1 - columns.level)
    known = ~np.isnan(low + high)
    return np.where(known, (columns.null < low) | (columns.null > high), np.nan)


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def wide(measured: pl.DataFrame) -> pl.DataFrame:
    """Return measures side by side: a row for each cell, a column for each measure and its `_mcse`."""
    numbers = ("measure", "value", "mcse", "count", "failed")
    by = [name for name in measured.columns if name not in numbers]
    rows = []
    for cell, part in cells(measured, by):
        row: dict[str, Any] = {**cell, "count": part["count"].max(), "failed": part["failed"][0]}
        for one in part.iter_rows(named=True):
            row[one["measure"]] = one["value"]
            row[f"{one['measure']}_mcse"] = one["mcse"]
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def replicates_needed(measured: pl.DataFrame, measure: str, mcse: float) -> pl.DataFrame:
    """Return, for each cell, how many replicates bring the MCSE of a measure down to `mcse`: `needed`, and `more`.

    An MCSE falls as 1 / sqrt(n). For a share it is at least that of a share with one more success and one more
    failure, since a share of 0 or 1 has the MCSE 0 by the formula (Agresti and Coull 1998, American Statistician 52,
    119-126). Raises UsageError for an unknown measure or an MCSE that is not positive.
    """
    known = measured["measure"].unique().to_list()
    if measure not in known:
        raise UsageError(
            f"the table has no measure {measure!r}", f"its measures are: {', '.join(sorted(known))}"
        )
    if not mcse > 0:
        raise UsageError(f"the wished MCSE is a positive number, not {mcse}")
    rows = []
    for one in measured.filter(pl.col("measure") == measure).iter_rows(named=True):
        n, error = one["count"], one["mcse"]
        if measure in PROPORTIONS and n:
            share = (one["value"] * n + 1) / (n + 2)
            error = max(error or 0.0, math.sqrt(share * (1 - share) / n))
        needed = None if error is None or not n else max(1, math.ceil(n * (error / mcse) ** 2))
        cell = {name: one[name] for name in measured.columns[: measured.columns.index("measure")]}
        more = None if needed is None else max(0, needed - n)
        rows.append(
            {**cell, "measure": measure, "count": n, "mcse": one["mcse"], "needed": needed, "more": more}
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def failures_by_cell(measured: pl.DataFrame) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yield each cell in which a method failed: the cell, the number of failures, and of replicates."""
    by = measured.columns[: measured.columns.index("measure")]
    for one in measured.filter(pl.col("measure") == "convergence", pl.col("failed") > 0).iter_rows(
        named=True
    ):
        yield {name: one[name] for name in by}, one["failed"], one["count"]
