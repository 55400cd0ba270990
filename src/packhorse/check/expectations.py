"""Check claims about a table, such as `coverage = 0.95` or `order(error, h) = 4`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import polars as pl
from msgspec.structs import replace

from packhorse.check.benchmarks import agrees, benchmark, means
from packhorse.check.finding import Finding
from packhorse.check.orders import exponent, order_of_convergence, order_of_values
from packhorse.check.ranks import uniform_ranks
from packhorse.check.simulation import Columns, performance
from packhorse.check.stochastic import strong_order, weak_order
from packhorse.check.tables import read_table
from packhorse.model.errors import UsageError
from packhorse.text.claims import Claim, parse_claim

ORDERS: dict[str, Callable[..., Finding]] = {
    "order": order_of_convergence,
    "order_of_values": order_of_values,
    "strong_order": strong_order,
    "weak_order": weak_order,
    "exponent": exponent,
    "exponent_large": partial(exponent, large=True),
}


def expect(
    table: Any,
    that: str,
    *,
    columns: Columns | None = None,
    where: Sequence[str] = (),
    by: Sequence[str] | None = None,
    expected: int | None = None,
    margin: float | None = None,
    rtol: float = 0.0,
    atol: float = 0.0,
    ulp: int = 0,
) -> Finding:
    """Check a claim (docs/how-to/check-results.md has all forms) about the rows of a table that match `where`.

    `where` are texts NAME=VALUE[,VALUE]. `columns` and `expected` (replicates in each cell) are needed for
    performance measures, see `performance`; `margin` is that of `benchmark`; `rtol`, `atol` and `ulp` are those of
    `agrees`. Raises UsageError for a claim without a known form, and for missing columns.
    """
    claim = parse_claim(that)
    frame = matching(read_table(table), where)
    if claim.form == "column":
        finding = agrees(frame, claim.arguments[0], claim.value, rtol=rtol, atol=atol, ulp=ulp)
    elif claim.form in ("measure", "mean"):
        finding = _benchmark(frame, claim, columns, by, expected, margin)
    elif claim.form == "uniform":
        finding = uniform_ranks(frame, claim.arguments[0], _draws(claim))
    else:
        finding = ORDERS[claim.form](frame, *claim.arguments, claim.number())
    return replace(finding, check=_name(that, where))


def _draws(claim: Claim) -> int:
    try:
        return int(claim.arguments[1])
    except ValueError:
        raise UsageError(
            f"the number of draws is a whole number, not '{claim.arguments[1]}'", "uniform(rank, 100)"
        ) from None


def _name(that: str, where: Sequence[str]) -> str:
    return " ".join(that.split()) + (f" where {' '.join(where)}" if where else "")


def _benchmark(
    frame: pl.DataFrame,
    claim: Claim,
    columns: Columns | None,
    by: Sequence[str] | None,
    expected: int | None,
    margin: float | None,
) -> Finding:
    if claim.form == "mean":
        return benchmark(means(frame, claim.arguments[0], by), "mean", claim.value, margin=margin)
    if columns is None:
        message = f"{claim.arguments[0]} needs the column of estimates"
        raise UsageError(
            message, "--estimate COLUMN --truth VALUE, or estimate: and truth: below summary: in the study"
        )
    measured = performance(frame, columns, by, expected=expected)
    return benchmark(measured, claim.arguments[0], claim.value, margin=margin)


def matching(frame: pl.DataFrame, where: Sequence[str]) -> pl.DataFrame:
    """Return the rows with these values; a condition is NAME=VALUE[,VALUE]. Raise UsageError for an unknown column."""
    for condition in where:
        name, sign, values = condition.partition("=")
        if not sign or name not in frame.columns:
            message = f"{condition}: expected NAME=VALUE with one of: {', '.join(frame.columns)}"
            raise UsageError(message, f"for example {frame.columns[0]}=1" if frame.columns else "")
        frame = frame.filter(_one_of(frame[name], [value.strip() for value in values.split(",")]))
    if not frame.height:
        raise UsageError(
            f"no row of the table matches {' '.join(where)}" if where else "the table has no row"
        )
    return frame


def _one_of(column: pl.Series, values: list[str]) -> pl.Series:
    if column.dtype.is_numeric():
        try:
            if column.dtype.is_integer() and all(re.fullmatch(r"[+-]?\d{1,18}", value) for value in values):
                return column.cast(pl.Int64).is_in([int(value) for value in values])
            return column.cast(pl.Float64).is_in([float(value) for value in values])
        except ValueError:
            raise UsageError(
                f"{column.name} is a number, and {', '.join(values)} is not", "write NAME=10,20"
            ) from None
    texts = column.cast(pl.String)
    if column.dtype == pl.Boolean:
        return texts.str.to_lowercase().is_in([value.lower() for value in values])
    return texts.is_in(values)
