"""Performance measures of a simulation study, each with its Monte Carlo standard error (MCSE).

Names and formulas are those of Table 6 in Morris, White and Crowther (2019), Using simulation studies to evaluate
statistical methods, Statistics in Medicine 38, 2074-2102. In all arrays the last axis is the replicate; NaN marks a
value that a replicate does not have, and each measure leaves out only the replicates without the values that it
needs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Measures that are the share of replicates in which something holds.
PROPORTIONS = ("coverage", "be_coverage", "power", "type_i_error", "convergence")
# Measures that are positive and have a skewed distribution, compared on the logarithmic scale.
SCALES = ("empirical_se", "model_se", "se_ratio", "mse", "rmse")


@dataclass(frozen=True)
class Sample:
    """Replicates of one method in one cell. All arrays have the same shape; NaN is a missing value.

    A replicate that failed has NaN in all but `converged`, which is 1 or 0. `se`, `low`, `high` and `rejected` may
    be NaN throughout, if the study does not have them.
    """

    estimate: Array
    truth: Array
    se: Array
    low: Array
    high: Array
    covered: Array
    rejected: Array
    converged: Array
    null: float = 0.0

    def take(self, index: NDArray[np.intp]) -> Sample:
        """Return the replicates at these positions of the last axis."""
        names = ("estimate", "truth", "se", "low", "high", "covered", "rejected", "converged")
        return replace(self, **{name: getattr(self, name)[..., index] for name in names})


@dataclass(frozen=True)
class Measure:
    """A measure: its value, its MCSE and the number of replicates that entered it."""

    name: str
    value: Array
    mcse: Array
    count: Array


def measures(sample: Sample) -> Iterator[Measure]:
    """Yield the measures that a sample allows.

    An MCSE is NaN where there are too few replicates for it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # cells without replicates give NaN, as they should
        with np.errstate(all="ignore"):
            yield _proportion("convergence", sample.converged)
            yield from _accuracy(sample)
            yield from _standard_errors(sample)
            yield from _decisions(sample)


def _accuracy(sample: Sample) -> Iterator[Measure]:
    """Yield bias, relative bias, empirical SE, MSE and RMSE. The RMSE's MCSE is by the delta method."""
    error = sample.estimate - sample.truth
    n, bias, sd = _moments(error)
    mcse = sd / np.sqrt(n)
    if not np.isnan(error).all():
        yield Measure("bias", bias, mcse, n)
        truth = np.nanmean(sample.truth, axis=-1)
        if _constant(sample.truth) and np.all(truth != 0):
            yield Measure("relative_bias", bias / truth, mcse / np.abs(truth), n)
    spread = error if not np.isnan(error).all() else sample.estimate
    n, _, sd = _moments(spread)
    yield Measure("empirical_se", sd, sd / np.sqrt(2 * (n - 1)), n)
    if not np.isnan(error).all():
        n, mse, sd = _moments(error**2)
        mcse = sd / np.sqrt(n)
        yield Measure("mse", mse, mcse, n)
        yield Measure("rmse", np.sqrt(mse), mcse / (2 * np.sqrt(mse)), n)


def _standard_errors(sample: Sample) -> Iterator[Measure]:
    """Yield the model SE (the root of the mean variance) and its ratio to the empirical SE."""
    if np.isnan(sample.se).all():
        return
    n, variance, spread = _moments(sample.se**2)
    model = np.sqrt(variance)
    yield Measure("model_se", model, spread / np.sqrt(4 * n * variance), n)
    error = np.where(np.isnan(sample.truth), sample.estimate, sample.estimate - sample.truth)
    entered, _, empirical = _moments(error)
    ratio = model / empirical
    mcse = ratio * np.sqrt(spread**2 / (4 * n * model**4) + 1 / (2 * (entered - 1)))
    yield Measure("se_ratio", ratio, mcse, np.minimum(n, entered))


def _decisions(sample: Sample) -> Iterator[Measure]:
    """Yield coverage, bias-eliminated coverage, and power or type I error."""
    if not np.isnan(sample.covered).all():
        yield _proportion("coverage", sample.covered)
    if not np.isnan(sample.low + sample.high).all():
        shift = np.nanmean(sample.estimate, axis=-1, keepdims=True)
        known = ~np.isnan(sample.low + sample.high)
        inside = (sample.low <= shift) & (shift <= sample.high)
        yield _proportion("be_coverage", np.where(known, inside, np.nan))
    if not np.isnan(sample.rejected).all():
        is_null = _constant(sample.truth) and np.nanmean(sample.truth) == sample.null
        yield _proportion("type_i_error" if is_null else "power", sample.rejected)


def _moments(values: Array) -> tuple[Array, Array, Array]:
    """Return count, mean and sample standard deviation of the values that are not NaN; no deviation of one value."""
    n = (~np.isnan(values)).sum(axis=-1).astype(np.float64)
    mean = np.nansum(values, axis=-1) / n
    squares = np.nansum((values - np.expand_dims(mean, -1)) ** 2, axis=-1)
    return n, mean, np.sqrt(squares / (n - 1))


def _proportion(name: str, values: Array) -> Measure:
    n, share, _ = _moments(values)
    return Measure(name, share, np.sqrt(share * (1 - share) / n), n)


def _constant(values: Array) -> bool:
    known = values[~np.isnan(values)]
    return known.size > 0 and bool((known == known[0]).all())


def bootstrap(sample: Sample, times: int, seed: int) -> dict[str, float]:
    """Return the MCSE of each measure by the nonparametric bootstrap over replicates.

    See Efron 1979, Annals of Statistics 7, 1-26.
    It needs no large number of replicates for its formula, but it cannot see what no replicate shows: a share of 0 or
    1 has the MCSE 0. The standard deviation over resamples is multiplied by sqrt(n / (n - 1)), without which it is
    too small.
    """
    n = sample.estimate.shape[-1]
    index = np.random.default_rng(seed).integers(0, n, size=(times, n))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        scale = np.sqrt(n / (n - 1)) if n > 1 else np.nan
        return {one.name: float(np.nanstd(one.value, ddof=1) * scale) for one in measures(sample.take(index))}


def without_tails(sample: Sample, fraction: float, *, keep: bool) -> Sample:
    """Return a sample whose extreme errors are moved to the quantiles `fraction` and 1 - `fraction`, or left out.

    With `keep` it is winsorised: estimates, with their intervals, and standard errors keep at most the values of the
    quantiles. Else it is trimmed: replicates beyond the quantiles of the error do not enter. (Wilcox 2017,
    Introduction to Robust Estimation and Hypothesis Testing, 4th ed., chapter 3.)
    """
    reference = np.where(np.isnan(sample.truth), 0.0, sample.truth)
    error = sample.estimate - reference
    if np.isnan(error).all():
        return sample
    low, high = np.nanquantile(error, [fraction, 1 - fraction])
    if keep:
        estimate = reference + np.clip(error, low, high)
        moved = estimate - sample.estimate
        se = sample.se
        if not np.isnan(se).all():
            se = np.clip(se, *np.nanquantile(se, [fraction, 1 - fraction]))
        return replace(sample, estimate=estimate, se=se, low=sample.low + moved, high=sample.high + moved)
    outside = (error < low) | (error > high)
    names = ("estimate", "se", "low", "high", "covered", "rejected")
    inside: dict[str, Any] = {name: np.where(outside, np.nan, getattr(sample, name)) for name in names}
    return replace(sample, **inside)


def normal_quantile(level: float) -> float:
    """Return the two-sided quantile of the standard normal distribution, 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + level / 2)
