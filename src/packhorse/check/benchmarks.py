"""Compare results with known values, within their Monte Carlo error or within rounding."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from packhorse.check.drawing import Picture
from packhorse.check.finding import Finding, Verdict, number
from packhorse.check.formulas import evaluate
from packhorse.check.measures import PROPORTIONS, SCALES, Array
from packhorse.check.tables import cell_name, cells, column, factors_of, is_number, read_table
from packhorse.model.errors import UsageError
from packhorse.text.amounts import counted

FEWEST = 10  # replicates of a cell, below which the t distribution is a bad approximation
SHOWN = 3  # cells in a sentence
HOLM = "Holm (1979, Scandinavian Journal of Statistics 6, 65-70)"
Known = float | str | Callable[[Mapping[str, Any]], float]


def benchmark(
    measured: pl.DataFrame,
    measure: str,
    expected: Known,
    *,
    alpha: float = 0.05,
    margin: float | None = None,
) -> Finding:
    """Compare a measure in every cell with its known value: a number, a formula of the cell's columns, or a function.

    Shares (coverage, power, ...) are compared by the exact binomial test, standard errors and MSE by a t test of
    their logarithm, all else by a t test with the MCSE. The probability that one or more of all right cells fail is
    at most `alpha`: p-values are adjusted by Holm's method. Without `margin`, cells that do not differ significantly
    pass, and the sentence says which difference would have been found with a power of 80 %. With `margin` the check
    is one of equivalence (two one-sided tests, Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15,
    657-680): it passes where all intervals are within it, and fails where one is outside of it. Cells with fewer than
    10 replicates cannot tell.

    Raises UsageError for an unknown measure or a formula that has no value.
    """
    rows = measured.filter(pl.col("measure") == measure)
    if not rows.height:
        known = ", ".join(sorted(measured["measure"].unique()))
        raise UsageError(f"the table has no measure {measure!r}", f"its measures are: {known}")
    by = measured.columns[: measured.columns.index("measure")]
    tested = [_tested(row, by, measure, expected) for row in rows.iter_rows(named=True)]
    _adjust(tested)
    level = 1 - alpha / len(tested) if margin is None else 1 - 2 * alpha
    for one in tested:
        one["low"], one["high"] = _interval(one, measure, level)
    if margin is None:
        verdict, sentence = _difference(tested, measure, alpha)
    else:
        verdict, sentence = _equivalence(tested, measure, alpha, margin)
    known_text = (
        expected
        if isinstance(expected, str)
        else number(expected)
        if not callable(expected)
        else "a function"
    )
    smallest = min((one["p"] for one in tested if one["p"] is not None), default=None)
    return Finding(
        check=f"{measure} = {known_text}",
        compared=f"{measure} in {counted(len(tested), 'cell')} with {known_text}",
        verdict=verdict,
        sentence=sentence,
        statistic=smallest if margin is None else max(abs(one["value"] - one["expected"]) for one in tested),
        threshold=alpha if margin is None else margin,
        source=f"p-values adjusted by {HOLM}" if margin is None else "the margin given",
        details=tuple(tested),
        picture=_picture(tested, measure),
    )


def _tested(row: Mapping[str, Any], by: Sequence[str], measure: str, expected: Known) -> dict[str, Any]:
    """Return a cell with its expected value and unadjusted p-value, None where it cannot be tested."""
    cell = {name: row[name] for name in by}
    wanted = _expected(expected, cell)
    value, mcse, count = row["value"], row["mcse"], row["count"]
    value = math.nan if value is None else value
    found = {"cell": cell, "value": value, "mcse": mcse, "count": count, "expected": wanted, "p": None}
    if count < FEWEST or math.isnan(value) or (mcse is None and measure not in PROPORTIONS):
        return found
    return {**found, "p": _p_value(value, mcse, count, wanted, measure)}


def _p_value(value: float, mcse: float, count: int, wanted: float, measure: str) -> float:
    if measure in PROPORTIONS:
        if not 0 <= wanted <= 1:
            raise UsageError(
                f"{measure} is a share, and {wanted:g} is not between 0 and 1", "write 0.95 for 95 %"
            )
        return float(stats.binomtest(round(value * count), count, wanted).pvalue)
    if mcse == 0:  # all replicates are equal, so only rounding is left
        return 1.0 if math.isclose(value, wanted, rel_tol=1e-12, abs_tol=1e-300) else 0.0
    if measure in SCALES and value > 0 and wanted > 0:
        return float(2 * stats.t.sf(abs(math.log(value / wanted)) / (mcse / value), count - 1))
    return float(2 * stats.t.sf(abs(value - wanted) / mcse, count - 1))


def _expected(expected: Known, cell: Mapping[str, Any]) -> float:
    if callable(expected):
        return float(expected(cell))
    if isinstance(expected, str):
        numeric = {name: value for name, value in cell.items() if isinstance(value, int | float)}
        found = float(evaluate(expected, numeric))
        if math.isnan(found):
            raise UsageError(f"the formula '{expected}' has no value at {cell_name(cell)}")
        return found
    return float(expected)


def _adjust(tested: list[dict[str, Any]]) -> None:
    """Add Holm's adjusted p-values: the k-th smallest of m times m - k + 1, never below a smaller one."""
    order = sorted((one for one in tested if one["p"] is not None), key=lambda one: one["p"])
    highest = 0.0
    for place, one in enumerate(order):
        highest = max(highest, min(1.0, one["p"] * (len(order) - place)))
        one["p"] = highest


def _interval(one: Mapping[str, Any], measure: str, level: float) -> tuple[float, float]:
    """Return a confidence interval: exact for shares, of the logarithm for scales, else of the t distribution."""
    value, mcse, count = one["value"], one["mcse"], one["count"]
    if measure in PROPORTIONS and count and not math.isnan(value):
        found = stats.binomtest(round(value * count), count).proportion_ci(level, method="exact")
        return float(found.low), float(found.high)
    if mcse is None or count < 2 or math.isnan(value):
        return -math.inf, math.inf
    half = float(stats.t.ppf(0.5 + level / 2, count - 1)) * mcse
    if measure in SCALES and value > 0:
        return value * math.exp(-half / value), value * math.exp(half / value)
    return value - half, value + half


def _difference(tested: list[dict[str, Any]], measure: str, alpha: float) -> tuple[Verdict, str]:
    wrong = sorted(
        (one for one in tested if one["p"] is not None and one["p"] < alpha), key=lambda one: one["p"]
    )
    unknown = [one for one in tested if one["p"] is None]
    cells_of = f"{len(wrong)} of {counted(len(tested), 'cell')}"
    if wrong:
        differ = "differs" if len(wrong) == 1 else "differ"
        return Verdict.FAIL, f"{cells_of} {differ}: {'; '.join(map(_named, wrong[:SHOWN]))}{_more(wrong)}"
    if unknown:
        few = f"{counted(len(unknown), 'cell')} of {len(tested)} have fewer than {FEWEST} replicates or no error"
        return (
            Verdict.UNDECIDED,
            f"{few}: {'; '.join(cell_name(one['cell']) for one in unknown[:SHOWN])}{_more(unknown)}",
        )
    farthest = min(tested, key=lambda one: one["p"])
    found = max(_detectable(one, measure, alpha / len(tested)) for one in tested)
    agree = "1 cell agrees" if len(tested) == 1 else f"{len(tested)} cells agree"
    return Verdict.PASS, (
        f"{agree}; the farthest is {_named(farthest)}; a difference of {number(found, 2)} would have been found "
        "with a power of 80 %"
    )


def _detectable(one: Mapping[str, Any], measure: str, alpha: float) -> float:
    mcse = one["mcse"] or 0.0
    if measure in PROPORTIONS:
        mcse = math.sqrt(one["expected"] * (1 - one["expected"]) / one["count"])
    return mcse * float(stats.t.ppf(1 - alpha / 2, one["count"] - 1) + stats.norm.ppf(0.8))


def _equivalence(
    tested: list[dict[str, Any]], measure: str, alpha: float, margin: float
) -> tuple[Verdict, str]:
    if not margin > 0:
        raise UsageError(f"a margin is a positive number, not {margin}")
    strict = 1 - alpha / len(tested)
    outside, undecided = [], []
    for one in tested:
        low, high = one["low"] - one["expected"], one["high"] - one["expected"]
        far_low, far_high = (end - one["expected"] for end in _interval(one, measure, strict))
        if one["p"] is not None and (far_low > margin or far_high < -margin):
            outside.append(one)
        elif one["p"] is None or low < -margin or high > margin:
            undecided.append(one)
    if outside:
        return (
            Verdict.FAIL,
            f"{len(outside)} of {counted(len(tested), 'cell')} outside of the margin: "
            + "; ".join(map(_named, outside[:SHOWN]))
            + _more(outside),
        )
    if undecided:
        return (
            Verdict.UNDECIDED,
            f"{counted(len(undecided), 'interval')} not within the margin {margin:g}: "
            + "; ".join(map(_named, undecided[:SHOWN]))
            + _more(undecided)
            + "; run more replicates",
        )
    return (
        Verdict.PASS,
        f"all intervals of {counted(len(tested), 'cell')} are within {margin:g} of the expected value",
    )


def _named(one: Mapping[str, Any]) -> str:
    name = f"{cell_name(one['cell'])}: " if one["cell"] else ""
    p = "" if one["p"] is None else f", adjusted p {_small(one['p'])}"
    mcse = number(one["mcse"], 2)
    return f"{name}{number(one['value'])} (MCSE {mcse}, expected {number(one['expected'])}{p})"


def _small(p: float) -> str:
    return number(p, 2) if p >= 1e-16 else "below 1e-16"


def _more(found: Sequence[Any]) -> str:
    return f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""


def _picture(tested: Sequence[Mapping[str, Any]], measure: str) -> Picture:
    return Picture(
        labels=tuple(cell_name(one["cell"]) for one in tested),
        y=tuple(one["value"] for one in tested),
        low=tuple(one["low"] for one in tested),
        high=tuple(one["high"] for one in tested),
        expected=tuple(one["expected"] for one in tested),
        y_name=measure,
    )


def means(table: Any, name: str, by: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the mean of a column in each cell with its MCSE, as `performance` does.

    It is for `benchmark(..., "mean", ...)`.
    Values that are missing, NaN or infinite do not enter and are counted as `failed`. Raises UsageError as
    `performance` does.
    """
    frame = read_table(table)
    groups = list(factors_of(frame) if by is None else by)
    rows = []
    for cell, part in cells(frame, groups):
        values = column(part, name, "the result").to_numpy().astype(np.float64)
        known = values[np.isfinite(values)]
        mcse = float(known.std(ddof=1) / math.sqrt(known.size)) if known.size > 1 else None
        value = float(known.mean()) if known.size else None
        counts = {"count": known.size, "failed": values.size - known.size}
        rows.append({**cell, "measure": "mean", "value": value, "mcse": mcse, **counts})
    return pl.DataFrame(rows, infer_schema_length=None)


def agrees(
    table: Any,
    name: str,
    expected: str | Callable[[pl.DataFrame], Any],
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    ulp: int = 0,
) -> Finding:
    """Compare a column, row by row, with a formula of other columns or a function of the table.

    For results without Monte Carlo error. A value agrees within `atol` + `rtol` |expected|, or within `ulp` units in
    the last place of the expected value. Without a tolerance values must be equal. Raises UsageError for an unknown
    column.
    """
    frame = read_table(table)
    value = column(frame, name, "the result").to_numpy().astype(np.float64)
    if callable(expected):
        wanted = np.asarray(expected(frame), dtype=np.float64)
    else:
        numeric = {
            one: frame[one].cast(pl.Float64).to_numpy()
            for one in frame.columns
            if is_number(frame.schema[one])
        }
        wanted = np.broadcast_to(evaluate(expected, numeric), value.shape)
    away = _ulps(value, wanted)
    with np.errstate(all="ignore"):
        difference = np.abs(value - wanted)
        close = (value == wanted) | (difference <= atol + rtol * np.abs(wanted)) | (away <= ulp)
    close |= np.isnan(value) & np.isnan(wanted)
    wrong = np.flatnonzero(~close)
    text = "a function" if callable(expected) else expected
    tolerance = ", ".join(
        f"{kind} {limit:g}" for kind, limit in (("rtol", rtol), ("atol", atol), ("ulp", ulp)) if limit
    )
    if not value.size:
        verdict, sentence = Verdict.UNDECIDED, "the table has no row"
    elif wrong.size:
        first = int(wrong[0])
        found = f"row {first}: {value[first]!r}, expected {wanted[first]!r}"
        verdict, sentence = (
            Verdict.FAIL,
            f"{wrong.size:,} of {counted(value.size, 'value')} differ; the first is {found}",
        )
    else:
        most = float(np.nanmax(away)) if not np.isnan(away).all() else 0.0
        verdict, sentence = Verdict.PASS, f"{counted(value.size, 'value')} agree, within {most:.0f} ulp"
    return Finding(
        check=f"{name} = {text}",
        compared=f"{name} with {text}, row by row",
        verdict=verdict,
        sentence=sentence,
        statistic=float(np.nanmax(difference)) if value.size and not np.isnan(difference).all() else None,
        threshold=rtol or atol or float(ulp),
        source=tolerance or "bitwise equality",
    )


def _ulps(value: Array, wanted: Array) -> Array:
    """Return the distance in units in the last place of the expected value."""
    with np.errstate(all="ignore"):
        return np.abs(value - wanted) / np.spacing(np.abs(wanted))
