"""Order of convergence from errors at three grids or more, and exponents at the ends of a range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from msgspec import Struct
from scipy import stats

from packhorse.check.drawing import Picture
from packhorse.check.finding import Finding, Verdict, number
from packhorse.check.measures import Array
from packhorse.check.tables import column, read_table
from packhorse.model.errors import UsageError
from packhorse.text.amounts import counted

LEVEL = 0.95
SLACK = 0.1  # orders of methods are multiples of one half, so smaller deviations are not another order
RESOLUTION = 0.5  # a pass excludes the neighbouring orders
ROUNDING = 1e3 * float(np.finfo(np.float64).eps)  # relative error, below which rounding may mask the order
STEEP = 10.0  # order of a power law times a power, by which any exponent falls
FLAT = 0.25  # an order this small is an error that no longer falls


class Fit(Struct, frozen=True, kw_only=True):
    """An observed order with its confidence interval, the grids that entered, and what was seen beside them."""

    order: float
    low: float
    high: float
    slopes: tuple[float, ...]  # between neighbouring grids, from coarse to fine
    used: int
    notes: tuple[str, ...] = ()


def fit_order(
    steps: Sequence[float] | Array, errors: Sequence[float] | Array, scale: float = 1.0
) -> Fit | None:
    """Return the observed order of errors at steps, None where fewer than three grids are left.

    log e = c + p log h is fitted by least squares to the finest three grids; with more grids, to the finest five with
    a further term d h for the next order of the expansion, and the interval is that of the t distribution. Grids at
    which the error is below 1000 rounding units of `scale` (the size of the solution), or at which it has stopped to
    fall, are left out and named (Roy 2005, Review of code and solution verification procedures, Journal of
    Computational Physics 205, 131-156).
    """
    order = np.argsort(steps)[::-1]
    h, e = np.asarray(steps, dtype=np.float64)[order], np.abs(np.asarray(errors, dtype=np.float64)[order])
    notes = []
    rounded = e <= ROUNDING * scale
    if rounded.any():
        first = int(np.argmax(rounded))
        notes.append(f"rounding masks the error below a step of {number(float(h[first]))}")
        h, e = h[:first], e[:first]
    flat = _first_flat(h, e)
    if flat is not None:
        notes.append(
            f"another error of about {number(float(e[-1]), 2)} masks the order below a step of {number(float(h[flat]))}"
        )
        h, e = h[: flat + 1], e[: flat + 1]
    if h.size < 3:
        return (
            Fit(order=math.nan, low=-math.inf, high=math.inf, slopes=(), used=int(h.size), notes=tuple(notes))
            if notes
            else None
        )
    slopes = np.diff(np.log(e)) / np.diff(np.log(h))
    used = 3 if h.size == 3 else min(5, h.size)
    p, half = _regression(h[-used:], e[-used:])
    found = tuple(float(slope) for slope in slopes)
    return Fit(order=p, low=p - half, high=p + half, slopes=found, used=used, notes=tuple(notes))


def _first_flat(h: Array, e: Array) -> int | None:
    """Return the grid after which the error falls no more down to the finest one; None where it falls."""
    if h.size < 2:
        return None
    slopes = np.diff(np.log(e)) / np.diff(np.log(h))
    falling = np.flatnonzero(slopes > FLAT)
    if slopes[-1] > FLAT:
        return None
    return int(falling[-1]) + 1 if falling.size else 0


def _regression(h: Array, e: Array) -> tuple[float, float]:
    """Return the slope of log e on log h at small h, and the half width of its confidence interval."""
    terms = [np.ones_like(h), np.log(h)] + ([h / h[0]] if h.size > 3 else [])
    design = np.stack(terms, axis=1)
    y = np.log(e)
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    residual = y - design @ coefficients
    dof = h.size - design.shape[1]
    variance = float(residual @ residual) / dof
    spread = math.sqrt(variance * float(np.linalg.inv(design.T @ design)[1, 1]))
    return float(coefficients[1]), float(stats.t.ppf(0.5 + LEVEL / 2, dof)) * spread


def order_of_convergence(
    table: Any, error: str, step: str, expected: float, *, scale: float = 1.0
) -> Finding:
    """Compare the observed order of an error with the expected one.

    `error` and `step` are columns; where several rows have the same step, the largest error counts. The check fails
    if the confidence interval excludes the expected order (by more than 0.1), passes if it also excludes the orders
    half a unit away, and else cannot tell: there are fewer than three grids, the asymptotic range is not reached, or
    another error masks the order. Raises UsageError for missing columns, and steps that are not positive.
    """
    steps, errors = _largest(table, error, step)
    return _judged(steps, errors, expected, scale, f"order of {error}")


def order_of_values(
    table: Any, value: str, step: str, expected: float, *, scale: float | None = None
) -> Finding:
    """Compare the observed order with the expected one without an exact solution, from a value on three grids or more.

    With a constant ratio r of steps the differences of neighbouring grids fall as h^p (Roache 1998, Verification and
    Validation in Computational Science and Engineering, chapter 5); four grids give three differences. With three
    grids the order is ln((f3 - f2) / (f2 - f1)) / ln r, and the check can only fail or not tell, since one number has
    no interval. Raises UsageError as `order_of_convergence`, and where the ratio of steps is not constant.
    """
    steps, values = _one_value(table, value, step)
    ratios = steps[:-1] / steps[1:]
    if steps.size >= 3 and not np.allclose(ratios, ratios[0], rtol=1e-6):
        raise UsageError(
            f"the ratio of steps is not constant: {', '.join(f'{r:.4g}' for r in ratios)}",
            "halve the step each time",
        )
    differences = np.diff(values)
    size = float(np.abs(values).max()) if scale is None and values.size else scale or 1.0
    name = f"order of {value} without an exact solution"
    if np.any(differences[:-1] * differences[1:] < 0):
        return _undecided(
            name, expected, "the values oscillate from grid to grid: the asymptotic range is not reached"
        )
    finding = _judged(steps[1:], np.abs(differences), expected, size, name)
    if finding.passed or finding.failed or differences.size < 2 or not np.all(differences):
        return finding
    try:
        extrapolated = richardson(steps, values)
    except UsageError:
        return finding
    return Finding(
        check=name,
        compared=finding.compared,
        verdict=finding.verdict,
        sentence=f"{finding.sentence}; {extrapolated.sentence}",
        statistic=extrapolated.order,
        threshold=expected,
        source=finding.source,
        picture=finding.picture,
    )


class Extrapolated(Struct, frozen=True, kw_only=True):
    """Richardson extrapolation from the finest three grids, and the grid convergence index (GCI) of the finest one.

    `gci` is relative to the value on the finest grid; `asymptotic` is 1 where the asymptotic range is reached.
    """

    order: float
    value: float
    gci: float
    asymptotic: float

    @property
    def sentence(self) -> str:
        """The result in words."""
        return (
            f"observed order {number(self.order, 3)}, extrapolated value {number(self.value, 8)}, "
            f"GCI {number(100 * self.gci, 2)} %, asymptotic ratio {number(self.asymptotic, 3)}"
        )


def richardson(steps: Sequence[float] | Array, values: Sequence[float] | Array) -> Extrapolated:
    """Return order, extrapolated value and GCI from the finest three grids, with the safety factor 1.25.

    Steps need no constant ratio: the order is found by the iteration of Celik et al. (2008), Procedure for estimation
    and reporting of uncertainty due to discretization in CFD applications, Journal of Fluids Engineering 130, 078001.
    The asymptotic ratio is GCI23 / (r^p GCI12), Roache (1998). Raises UsageError with fewer than three grids, or
    where neighbouring values are equal or oscillate.
    """
    order = np.argsort(np.asarray(steps, dtype=np.float64))
    h, f = (np.asarray(one, dtype=np.float64)[order][:3] for one in (steps, values))
    if h.size < 3:
        raise UsageError(f"Richardson extrapolation needs three grids, and there are {h.size}")
    e21, e32 = f[1] - f[0], f[2] - f[1]
    if e21 == 0 or e32 / e21 <= 0:
        raise UsageError("the values of neighbouring grids are equal or oscillate", "use finer grids")
    r21, r32 = h[1] / h[0], h[2] / h[1]
    p = math.log(e32 / e21) / math.log(r21)
    for _ in range(200):
        if p <= 0:  # the differences grow
            break
        step = abs(math.log(e32 / e21) + math.log((r21**p - 1) / (r32**p - 1))) / math.log(r21)
        if abs(step - p) < 1e-12:
            break
        p = step
    if p <= 0:
        raise UsageError(
            "differences between grids grow as the step falls", "use finer grids, or correct the method"
        )
    value = f[0] + (f[0] - f[1]) / (r21**p - 1)
    fine = 1.25 * abs(e21 / f[0]) / (r21**p - 1) if f[0] else math.inf
    coarse = 1.25 * abs(e32 / f[1]) / (r32**p - 1) if f[1] else math.inf
    ratio = coarse / (r21**p * fine) if math.isfinite(fine + coarse) else math.nan
    return Extrapolated(order=p, value=float(value), gci=float(fine), asymptotic=float(ratio))


def exponent(table: Any, result: str, parameter: str, expected: float, *, large: bool = False) -> Finding:
    """Compare the exponent of a power law at small (or large) values of a parameter with the expected one.

    |result| is averaged at each value of the parameter, and fitted as the error of a step: the term of next order
    vanishes towards the limit.
    """
    frame = read_table(table)
    x, y = column(frame, parameter, "the parameter"), column(frame, result, "the result")
    means = (
        pl.DataFrame({"x": x, "y": y})
        .drop_nulls()
        .filter(pl.col("y").is_finite())
        .group_by("x")
        .agg(pl.col("y").mean().abs())
    )
    points, values = means["x"].to_numpy(), means["y"].to_numpy()
    if (points <= 0).any() or (values == 0).any():
        raise UsageError(f"a power law needs {parameter} > 0 and {result} other than 0")
    steps = 1 / points if large else points
    where = "large" if large else "small"
    # Times a power that makes it fall, since a constant result would else count as an error that stopped falling.
    shift = STEEP - (-expected if large else expected)
    return _judged(
        steps,
        values * steps**shift,
        STEEP,
        0.0,
        f"exponent of {result} at {where} {parameter}",
        shift=shift,
        flip=large,
    )


def _judged(
    steps: Array,
    errors: Array,
    expected: float,
    scale: float,
    name: str,
    *,
    shift: float = 0.0,
    flip: bool = False,
) -> Finding:
    """Return the finding of a fit; an exponent is the fitted order less `shift`, with the other sign if `flip`."""
    sign = -1.0 if flip else 1.0
    wanted = sign * (expected - shift)
    if steps.size < 3:
        return _undecided(name, wanted, f"{counted(int(steps.size), 'grid')}, and an order needs three")
    if not np.isfinite(errors).all():
        bad = number(float(steps[~np.isfinite(errors)][0]))
        return _undecided(name, wanted, f"the error at a step of {bad} is not finite")
    if (errors == 0).all():
        return _undecided(
            name, wanted, "all errors are exactly 0: the method is exact here, so choose another solution"
        )
    fit = fit_order(steps, np.maximum(errors, 1e-320), scale)
    if fit is None or math.isnan(fit.order):
        why = "; ".join(fit.notes) if fit else "too few grids"
        return _undecided(name, wanted, f"{why}; fewer than three grids are left")
    low, high = sorted((sign * (fit.low - shift), sign * (fit.high - shift)))
    order = sign * (fit.order - shift)
    slopes = ", ".join(number(sign * (slope - shift), 3) for slope in fit.slopes[-4:])
    text = f"observed {number(order, 3)} (95 % interval {number(low, 3)} to {number(high, 3)}), expected {number(wanted, 3)}"
    masked = bool(fit.notes) and "another" in fit.notes[-1]
    if low - SLACK > wanted or high + SLACK < wanted:
        verdict = Verdict.FAIL
    elif low > wanted - RESOLUTION and high < wanted + RESOLUTION:
        verdict = Verdict.UNDECIDED if masked else Verdict.PASS
    else:
        verdict = Verdict.UNDECIDED
        text += f"; the asymptotic range is not reached: orders between grids {slopes}"
    text += "".join(f"; {note}" for note in fit.notes)
    return Finding(
        check=name,
        compared=f"the observed order at {counted(int(steps.size), 'grid')} with {number(wanted, 3)}",
        verdict=verdict,
        sentence=text,
        statistic=order,
        threshold=wanted,
        source=f"t interval of the slope on the finest {fit.used} grids",
        details=tuple({"step": float(h), "error": float(e)} for h, e in zip(steps, errors, strict=True)),
        picture=_picture(steps, errors, expected),
    )


def _picture(steps: Array, errors: Array, expected: float) -> Picture:
    finest = int(np.argmin(steps))
    line = errors[finest] * (steps / steps[finest]) ** expected
    return Picture(
        x=tuple(map(float, steps)), y=tuple(map(float, errors)), expected=tuple(map(float, line)), log=True,
        x_name="step", y_name="error",
    )  # fmt: skip


def _undecided(name: str, expected: float, sentence: str) -> Finding:
    compared = f"the observed order with {number(expected, 3)}"
    return Finding(
        check=name, compared=compared, verdict=Verdict.UNDECIDED, sentence=sentence, threshold=expected
    )


def _largest(table: Any, error: str, step: str) -> tuple[Array, Array]:
    frame = read_table(table)
    pairs = pl.DataFrame({"h": column(frame, step, "the step"), "e": column(frame, error, "the error").abs()})
    return _positive(pairs.group_by("h").agg(pl.col("e").max()), step)


def _one_value(table: Any, value: str, step: str) -> tuple[Array, Array]:
    frame = read_table(table)
    pairs = pl.DataFrame({"h": column(frame, step, "the step"), "e": column(frame, value, "the value")})
    if pairs["h"].is_duplicated().any():
        raise UsageError(f"several rows have the same {step}", "choose one of each with --where")
    return _positive(pairs, step)


def _positive(pairs: pl.DataFrame, step: str) -> tuple[Array, Array]:
    pairs = pairs.sort("h", descending=True)
    steps = pairs["h"].to_numpy()
    if pairs["h"].null_count() or not (steps > 0).all():
        raise UsageError(
            f"steps are positive numbers, and {step} has others", "give the step, not the number of steps"
        )
    return steps, pairs["e"].to_numpy().astype(np.float64)
