"""Strong and weak order of convergence of stochastic methods, with Monte Carlo error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from packhorse.check.drawing import Picture
from packhorse.check.finding import Finding, Verdict, number
from packhorse.check.measures import Array
from packhorse.check.orders import RESOLUTION, SLACK
from packhorse.check.tables import column, read_table
from packhorse.model.errors import UsageError
from packhorse.text.amounts import counted

TIMES = 500  # resamples of the bootstrap
SEEN = 3.0  # Monte Carlo standard errors that an error must have to enter
HALF = RESOLUTION / 2  # orders of stochastic methods are multiples of one half


def strong_order(
    table: Any, error: str, step: str, expected: float, *, replicate: str = "replicate"
) -> Finding:
    """Compare the strong order with the expected one: mean |error of a path| against the step.

    See `weak_order`; errors are those of single paths (Kloeden and Platen 1992, Numerical Solution of Stochastic
    Differential Equations, section 9.6).
    """
    return _order(table, error, step, expected, replicate, strong=True)


def weak_order(
    table: Any, error: str, step: str, expected: float, *, replicate: str = "replicate"
) -> Finding:
    """Compare the weak order with the expected one: |mean error| against the step.

    `error` is a column with one signed error for each step and replicate. Where a replicate has the same random
    numbers at all steps, name its column, and replicates are resampled together. The slope of log error on log step
    is fitted with weights from the Monte Carlo errors; its interval is normal with the standard error of the
    bootstrap over replicates, widened by the misfit of the line. Steps whose error is smaller than three Monte Carlo
    standard errors are left out. The check fails if the interval excludes the expected order by more than 0.1, passes
    if it is within a quarter of it, and else cannot tell. (Kloeden and Platen 1992, section 9.7.)

    Raises UsageError for missing columns, and steps that are not positive.
    """
    return _order(table, error, step, expected, replicate, strong=False)


def _order(table: Any, error: str, step: str, expected: float, replicate: str, *, strong: bool) -> Finding:
    name = f"{'strong' if strong else 'weak'} order of {error}"
    steps, errors, paired = _by_step(table, error, step, replicate)
    if len(steps) < 3:
        return _undecided(name, expected, f"{counted(len(steps), 'step')}, and an order needs three")
    if min(one.size for one in errors) < 10:
        return _undecided(name, expected, "fewer than ten finite errors at a step")
    values = np.array([_error_of(one, strong=strong) for one in errors])
    spread = np.array(
        [one.std(ddof=1) / np.sqrt(one.size) for one in (map(np.abs, errors) if strong else errors)]
    )
    seen = values > SEEN * spread
    if seen.sum() < 3:
        worst = float(np.max((SEEN * spread / np.maximum(values, 1e-300))[np.argsort(~seen)[:3]]))
        factor = min(worst**2, 1e9)
        text = f"Monte Carlo error masks the error at {counted(int((~seen).sum()), 'step')} of {len(steps)}"
        return _undecided(
            name, expected, f"{text}; about {number(factor, 2)} times as many replicates would show it"
        )
    h = np.asarray(steps)[seen]
    used = [one for one, keep in zip(errors, seen, strict=True) if keep]
    weights = (values[seen] / spread[seen]) ** 2
    slope, misfit = _slope(h, values[seen], weights)
    sd = _bootstrap(h, used, weights, paired=paired, strong=strong)
    half = float(stats.norm.ppf(0.975)) * sd * max(1.0, misfit)
    return _judged(
        name, (slope, slope - half, slope + half), expected, (h, values[seen], spread[seen]), len(steps)
    )


def _by_step(table: Any, error: str, step: str, replicate: str) -> tuple[list[float], list[Array], bool]:
    """Return steps from coarse to fine, the finite errors at each, and whether those of a replicate match."""
    frame = read_table(table)
    rows = pl.DataFrame({"h": column(frame, step, "the step"), "e": column(frame, error, "the error")})
    if rows["h"].null_count() or not (rows["h"] > 0).all():
        raise UsageError(
            f"steps are positive numbers, and {step} has others", "give the step, not the number of steps"
        )
    known = replicate in frame.columns
    if known:
        rows = rows.with_columns(r=frame[replicate]).sort("h", "r", descending=[True, False])
    parts = rows.filter(pl.col("e").is_finite()).partition_by("h", maintain_order=True)
    parts.sort(key=lambda part: -part["h"][0])
    paired = known and all(part["r"].equals(parts[0]["r"]) and part["r"].is_unique().all() for part in parts)
    return [float(part["h"][0]) for part in parts], [part["e"].to_numpy() for part in parts], paired


def _error_of(errors: Array, *, strong: bool) -> float:
    return float(np.abs(errors).mean() if strong else abs(errors.mean()))


def _slope(h: Array, values: Array, weights: Array) -> tuple[float, float]:
    """Return the weighted slope of log value on log h, and the root of chi-square per degree of freedom."""
    x, y = np.log(h), np.log(values)
    centre = (weights @ x) / weights.sum()
    mean = (weights @ y) / weights.sum()
    slope = float(weights @ ((x - centre) * (y - mean)) / (weights @ (x - centre) ** 2))
    residual = y - mean - slope * (x - centre)
    return slope, float(np.sqrt(weights @ residual**2 / (h.size - 2)))


def _bootstrap(h: Array, errors: Sequence[Array], weights: Array, *, paired: bool, strong: bool) -> float:
    rng = np.random.default_rng(1)
    slopes = []
    for _ in range(TIMES):
        index = rng.integers(0, errors[0].size, errors[0].size) if paired else None
        drawn = [one[index if index is not None else rng.integers(0, one.size, one.size)] for one in errors]
        values = np.array([max(_error_of(one, strong=strong), 1e-300) for one in drawn])
        slopes.append(_slope(h, values, weights)[0])
    return float(np.std(slopes, ddof=1))


def _judged(
    name: str,
    fit: tuple[float, float, float],
    expected: float,
    points: tuple[Array, Array, Array],
    steps: int,
) -> Finding:
    order, low, high = fit
    h, values, spread = points
    interval = f"95 % interval {number(low, 3)} to {number(high, 3)}"
    text = f"observed {number(order, 3)} ({interval}), expected {number(expected, 3)}"
    if low - SLACK > expected or high + SLACK < expected:
        verdict = Verdict.FAIL
    elif low > expected - HALF and high < expected + HALF:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.UNDECIDED
        text += "; the interval does not exclude other orders: run more replicates, or finer steps"
    if steps > h.size:
        text += f"; Monte Carlo error masks {counted(steps - h.size, 'step')}"
    line = values[-1] * (h / h[-1]) ** expected
    return Finding(
        check=name,
        compared=f"the observed order at {counted(int(h.size), 'step')} with {number(expected, 3)}",
        verdict=verdict,
        sentence=text,
        statistic=order,
        threshold=expected,
        source="normal interval with the standard error of the bootstrap over replicates",
        details=tuple(
            {"step": float(a), "error": float(b), "mcse": float(c)}
            for a, b, c in zip(h, values, spread, strict=True)
        ),
        picture=Picture(
            x=tuple(map(float, h)),
            y=tuple(map(float, values)),
            low=tuple(map(float, np.maximum(values - 1.96 * spread, values / 10))),
            high=tuple(map(float, values + 1.96 * spread)),
            expected=tuple(map(float, line)),
            log=True,
            x_name="step",
            y_name="error",
        ),
    )


def _undecided(name: str, expected: float, sentence: str) -> Finding:
    compared = f"the observed order with {number(expected, 3)}"
    return Finding(
        check=name, compared=compared, verdict=Verdict.UNDECIDED, sentence=sentence, threshold=expected
    )
