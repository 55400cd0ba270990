"""Summary statistics by group, with their Monte Carlo standard errors (MCSE) and the numbers of omitted values.

The MCSE estimates how much a statistic would vary if the study ran again with other seeds (Morris, White and
Crowther 2019, Using simulation studies to evaluate statistical methods, Statistics in Medicine 38, 2074-2102).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from packhorse.model.errors import UsageError
from packhorse.results.table_files import frame_lines

if TYPE_CHECKING:
    import polars as pl

Z = 1.96  # half-width, in standard errors, of the interval in Woodruff's method


class RunSummary(Struct, frozen=True):
    """Statistics of each point, and the same over all points where there are several."""

    points: pl.DataFrame
    over_all: pl.DataFrame | None

    def lines(self) -> list[str]:
        """Return both as one table of text."""
        import polars as pl

        if self.over_all is None:
            return frame_lines(self.points)
        groups = self.points.columns[: -len(self.over_all.columns)]
        labels = [pl.lit("all" if at == 0 else "").alias(name) for at, name in enumerate(groups)]
        points = self.points.with_columns(pl.col(groups).cast(pl.String))
        return frame_lines(pl.concat([points, self.over_all.select(*labels, pl.all())]))


def summarise_points(
    table: pl.DataFrame, by: Sequence[str], of: Sequence[str], quantiles: Sequence[float]
) -> RunSummary:
    """Return what `summarise` returns for each group, and over all of them."""
    points = summarise(table, by, of, quantiles)
    # Without `of`, parameters that are not grouped by would be summarised as results.
    columns = tuple(points[points.columns[len(by)]].unique(maintain_order=True))
    if len(points) <= len(columns):
        return RunSummary(points, None)
    over_all = summarise(table, (), columns, quantiles)
    over_all.columns = points.columns[len(by) :]  # a statistic with the name of a parameter has another one
    return RunSummary(points, over_all)


def summarise(
    table: pl.DataFrame, by: Sequence[str] = (), of: Sequence[str] = (), quantiles: Sequence[float] = ()
) -> pl.DataFrame:
    """Return a row per group and column: count, null, nan, mean, sd and quantiles, each with its MCSE.

    `count` is the number of values used; nulls and NaNs are omitted and counted separately. A column of true/false or
    of only 0 and 1 is a proportion, with the binomial MCSE. An MCSE is null where a group is too small for it.
    Raise UsageError for a missing or non-numeric column, or a quantile outside (0, 1).
    """
    import polars as pl

    chosen = list(of) or _numeric_results(table, by)
    _check(table, by, chosen, quantiles)
    parts = []
    for name in chosen:
        values = table[name]
        known = values.cast(pl.Float64).drop_nulls()
        proportion = bool(((known == 0) | (known == 1)).all())
        keys = {f"ph_by{at}": table[group] for at, group in enumerate(by)}
        frame = pl.DataFrame({"ph_x": values.cast(pl.Float64), **keys}).with_columns(
            pl.lit(0).alias("ph_all")
        )
        summary = frame.group_by(["ph_all", *keys]).agg(_statistics(quantiles)).sort(list(keys) or "ph_all")
        summary = summary.with_columns(pl.lit(name).alias("column"), *_errors(proportion=proportion))
        parts.append(summary.select(_order(by, quantiles)))
    return pl.concat(parts)


def _numeric_results(table: pl.DataFrame, by: Sequence[str]) -> list[str]:
    # Columns before `seed` are parameters, those that begin with ph_ are bookkeeping.
    start = table.columns.index("seed") + 1 if "seed" in table.columns else 0
    return [
        name
        for name in table.columns[start:]
        if not name.startswith("ph_") and name not in by and _is_numeric(table, name)
    ]


def _is_numeric(table: pl.DataFrame, name: str) -> bool:
    import polars as pl

    dtype = table.schema[name]
    return dtype.is_numeric() or dtype == pl.Boolean


def _check(table: pl.DataFrame, by: Sequence[str], of: Sequence[str], quantiles: Sequence[float]) -> None:
    numeric = [name for name in table.columns if _is_numeric(table, name) and not name.startswith("ph_")]
    if not of:
        raise UsageError("the table has no numeric column to summarise", "return a number from the script")
    for name in [*by, *of]:
        if name not in table.columns:
            raise UsageError(
                f"the table has no column {name!r}", f"its columns are: {', '.join(table.columns)}"
            )
    for name in of:
        if name not in numeric:
            raise UsageError(
                f"the column {name!r} is not numeric, so it has no mean",
                f"numeric columns are: {', '.join(numeric)}",
            )
    for q in quantiles:
        if not 0 < q < 1:
            raise UsageError(f"the quantile {q} is not between 0 and 1", "write 0.975 for 97.5 %")


def _statistics(quantiles: Sequence[float]) -> list[pl.Expr]:
    import polars as pl

    column = pl.col("ph_x")
    x = column.filter(column.is_not_null() & column.is_not_nan())
    n = x.len()
    centred = x - x.mean()
    statistics = [
        n.cast(pl.Int64).alias("count"),
        column.null_count().cast(pl.Int64).alias("null"),
        column.is_nan().sum().cast(pl.Int64).alias("nan"),
        x.mean().alias("mean"),
        x.std().alias("sd"),
        (centred**4).mean().alias("ph_m4"),
    ]
    for q in quantiles:
        statistics += [_quantile(x, pl.lit(q)).alias(f"q{q:g}"), _woodruff(x, q).alias(f"q{q:g}_mcse")]
    return statistics


def _quantile(x: pl.Expr, q: pl.Expr) -> pl.Expr:
    """Return the quantile of type 7 (Hyndman and Fan 1996), the default of R and NumPy."""
    import polars as pl

    n = x.len().cast(pl.Int64)
    at = q * (n - 1)
    low = at.floor().cast(pl.Int64).clip(0)
    high = pl.min_horizontal(low + 1, n - 1).clip(0)
    ordered = x.sort()
    below, above = ordered.get(low, null_on_oob=True), ordered.get(high, null_on_oob=True)
    # Equal neighbours need no arithmetic, which for infinities would give NaN.
    return pl.when(below == above).then(below).otherwise(below + (at - low) * (above - below))


def _woodruff(x: pl.Expr, q: float) -> pl.Expr:
    """Return the MCSE of a quantile: the confidence interval between order statistics, divided by its width in SE.

    Woodruff 1952, Confidence intervals for medians and other position measures, JASA 47, 635-646. The MCSE
    is null where the interval would leave the sample: too few values lie beyond the quantile.
    """
    import polars as pl

    n = x.len().cast(pl.Float64)
    half = Z * (q * (1 - q) / n).sqrt()
    inside = (q - half > 0) & (q + half < 1) & (n > 1)
    width = _quantile(x, (q + half).clip(0, 1)) - _quantile(x, (q - half).clip(0, 1))
    return pl.when(inside).then(width / (2 * Z))


def _errors(*, proportion: bool) -> list[pl.Expr]:
    """Return the MCSE of mean and standard deviation.

    The mean's is sd / sqrt(n), for a proportion sqrt(p (1 - p) / n). The standard deviation's comes from the
    fourth central moment m4: var(s^2) = (m4 - s^4 (n - 3) / (n - 1)) / n (Cramer 1946, Mathematical Methods of
    Statistics, 27.4), and se(s) = se(s^2) / (2 s) by the delta method.
    """
    import polars as pl

    n, sd, mean = pl.col("count"), pl.col("sd"), pl.col("mean")
    error = (mean * (1 - mean) / n).sqrt() if proportion else sd / n.sqrt()
    variance = (pl.col("ph_m4") - sd**4 * (n - 3) / (n - 1)) / n
    # Rounding may take the variance of nearly constant values below zero.
    spread = pl.when((n > 3) & (sd > 0)).then(variance.clip(0).sqrt() / (2 * sd))
    return [
        pl.when(n > 0).then(error).alias("mean_mcse"),
        pl.when((n > 1) & (sd == 0)).then(0.0).otherwise(spread).alias("sd_mcse"),
    ]


def _order(by: Sequence[str], quantiles: Sequence[float]) -> list[pl.Expr]:
    """Return all columns in order; a statistic with the name of a group column gets the suffix _summary."""
    import polars as pl

    pairs = [name for q in quantiles for name in (f"q{q:g}", f"q{q:g}_mcse")]
    names = ["column", "count", "null", "nan", "mean", "mean_mcse", "sd", "sd_mcse", *pairs]
    chosen = [pl.col(name).alias(f"{name}_summary" if name in by else name) for name in names]
    return [*(pl.col(f"ph_by{at}").alias(group) for at, group in enumerate(by)), *chosen]
