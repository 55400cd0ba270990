"""Compare methods on the same replicates: common random numbers make differences more precise than the parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from packhorse.check.measures import Array
from packhorse.check.simulation import Columns, sample_of
from packhorse.check.tables import cells, factors_of, read_table
from packhorse.model.errors import UsageError


def compare_methods(
    table: Any,
    columns: Columns,
    by: Sequence[str] | None = None,
    *,
    pair: Sequence[str] = ("replicate",),
    reference: Any = None,
) -> pl.DataFrame:
    """Return a row for each cell, method and difference to the reference method: `value`, `mcse`, `pairs`, `unpaired`.

    Rows of methods belong together where `by` and `pair` agree. Only replicates in which both converged enter;
    `unpaired` are the others, and `unpaired_reference` those of them in which the reference converged, since a method
    that fails where it is hard looks better than it is. Differences (method minus reference) of bias, MSE and
    coverage have the MCSE of the mean of paired differences; `precision_gain` is 100 ((SE of reference / SE of
    method)^2 - 1) with the MCSE of Morris, White and Crowther (2019), Table 6. `reference` defaults to the first
    method.

    Raises UsageError where there is no column of methods, or a pair has two rows of a method.
    """
    frame = read_table(table)
    if not columns.method:
        raise UsageError("a comparison needs the column of methods", "Columns(..., method='method')")
    names = [name for name in (factors_of(frame) if by is None else by) if name != columns.method]
    missing = [name for name in (*pair, columns.method) if name not in frame.columns]
    if missing:
        raise UsageError(
            f"the table has no column {missing[0]!r}", f"its columns are: {', '.join(frame.columns)}"
        )
    rows: list[dict[str, Any]] = []
    for cell, part in cells(frame, names):
        methods = {key[columns.method]: one for key, one in cells(part, [columns.method])}
        base = next(iter(methods)) if reference is None else reference
        if base not in methods:
            raise UsageError(f"no method {base!r}", f"the methods are: {', '.join(map(str, methods))}")
        for method, one in methods.items():
            if method != base:
                found = _compare(one, methods[base], columns, list(pair))
                label = {columns.method: method, "reference": base}
                rows += [{**cell, **label, **row} for row in found]
    return pl.DataFrame(rows, infer_schema_length=None)


def _compare(
    method: pl.DataFrame, base: pl.DataFrame, columns: Columns, pair: list[str]
) -> list[dict[str, Any]]:
    for part in (method, base):
        if part.select(pair).is_duplicated().any():
            message = f"a method has several rows with the same {', '.join(pair)}"
            raise UsageError(message, "name more columns in pair or by")
    common = method.select(pair).join(base.select(pair), on=pair, maintain_order="left")
    one = sample_of(common.join(method, on=pair, maintain_order="left"), columns)
    two = sample_of(common.join(base, on=pair, maintain_order="left"), columns)
    both = (one.converged == 1) & (two.converged == 1)
    pairs = int(both.sum())
    everything = method.select(pair).join(base.select(pair), on=pair, how="full", coalesce=True).height
    reference_ok = int(sample_of(base, columns).converged.sum())
    counts = {"pairs": pairs, "unpaired": everything - pairs, "unpaired_reference": reference_ok - pairs}
    error, base_error = (_errors(sample.estimate, sample.truth)[both] for sample in (one, two))
    differences = {
        "bias_difference": error - base_error,
        "mse_difference": error**2 - base_error**2,
        "coverage_difference": (one.covered - two.covered)[both],
    }
    if columns.truth is None:
        differences["mse_difference"] = np.full(pairs, np.nan)
    found = [
        {"measure": name, **_mean(values), **counts}
        for name, values in differences.items()
        if not np.isnan(values).all()
    ]
    if pairs > 2:
        found.append({"measure": "precision_gain", **_precision(error, base_error), **counts})
    return found


def _errors(estimate: Array, truth: Array) -> Array:
    return np.where(np.isnan(truth), estimate, estimate - truth)


def _mean(values: Array) -> dict[str, float | None]:
    known = values[~np.isnan(values)]
    error = float(known.std(ddof=1) / np.sqrt(known.size)) if known.size > 1 else None
    return {"value": float(known.mean()), "mcse": error}


def _precision(error: Array, base_error: Array) -> dict[str, float | None]:
    sd, base_sd = error.std(ddof=1), base_error.std(ddof=1)
    if sd == 0 or base_sd == 0:
        return {"value": None, "mcse": None}
    ratio = float((base_sd / sd) ** 2)
    correlation = float(np.corrcoef(error, base_error)[0, 1])
    mcse = 200 * ratio * float(np.sqrt(max(0.0, 1 - correlation**2) / (error.size - 1)))
    return {"value": 100 * (ratio - 1), "mcse": mcse}
