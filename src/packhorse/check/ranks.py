"""Simulation-based calibration: whether ranks of the truth among posterior draws are uniform."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from packhorse.check.drawing import Picture
from packhorse.check.finding import Finding, Verdict, number
from packhorse.check.measures import Array
from packhorse.check.tables import column, read_table
from packhorse.model.errors import UsageError

FEWEST = 50  # ranks
POINTS = 100  # at which the ECDF is compared
SIMULATIONS = 2000


def uniform_ranks(table: Any, rank: str, draws: int, *, alpha: float = 0.05, seed: int = 1) -> Finding:
    """Check that ranks 0 to `draws` are uniform, by the difference of their ECDF to that of a uniform sample.

    The simultaneous band covers the whole ECDF of a uniform sample with the probability 1 - `alpha`: its pointwise
    binomial level is calibrated by simulation (Säilynoja, Bürkner and Vehtari 2022, Graphical test for discrete
    uniformity and its applications in goodness-of-fit evaluation and multiple sample comparison, Statistics and
    Computing 32, 32, section 2). The sentence also has the chi-square test of a histogram (Talts et al. 2018,
    Validating Bayesian inference algorithms with simulation-based calibration) and names the shape: ranks towards one
    end are a bias, at both ends a posterior that is too narrow, in the middle one that is too wide.

    Raises UsageError for ranks that are not whole numbers from 0 to `draws`.
    """
    values = column(read_table(table), rank, "the rank").drop_nulls().to_numpy().astype(np.float64)
    if draws < 1:
        raise UsageError(f"the number of posterior draws is at least 1, not {draws}")
    if not np.all((values == np.floor(values)) & (values >= 0) & (values <= draws)):
        raise UsageError(
            f"ranks are whole numbers from 0 to {draws}, and {rank} has others", "give the number of draws"
        )
    name = f"uniform {rank}"
    if values.size < FEWEST:
        text = f"{values.size} ranks, and calibration needs {FEWEST}"
        return Finding(
            check=name, compared=f"{rank} with uniform ranks", verdict=Verdict.UNDECIDED, sentence=text
        )
    edges, at = _points(draws, values.size)
    inside = (values[:, None] < edges).sum(axis=0)
    tails = _tails(values.size, at)
    smallest = float(_smallest_tail(inside, tails))
    simulated = _simulated(values.size, at, tails, seed)
    p_value = float((1 + (simulated <= smallest).sum()) / (1 + SIMULATIONS))
    level = float(np.quantile(simulated, alpha))
    chi, bins = _chi_square(values, draws)
    shape = "" if p_value >= alpha else f"; {_shape(values, draws)}"
    text = f"ECDF p {number(p_value, 2)}, chi-square p {number(chi, 2)} in {bins} bins, {values.size:,} ranks{shape}"
    n = values.size
    low, high = stats.binom.ppf(level / 2, n, at) / n - at, stats.binom.isf(level / 2, n, at) / n - at
    return Finding(
        check=name,
        compared=f"the ECDF of {rank} with that of uniform ranks 0 to {draws}",
        verdict=Verdict.FAIL if p_value < alpha else Verdict.PASS,
        sentence=text,
        statistic=p_value,
        threshold=alpha,
        source="simultaneous band, calibrated by simulation (Säilynoja et al. 2022)",
        details=({"chi_square_p": chi, "bins": bins, "histogram": _histogram(values, draws, bins)},),
        picture=Picture(
            x=tuple(map(float, at)),
            y=tuple(map(float, inside / n - at)),
            low=tuple(map(float, low)),
            high=tuple(map(float, high)),
            band=True,
            x_name="rank / draws",
            y_name="ECDF difference",
        ),
    )


def _points(draws: int, ranks: int) -> tuple[Array, Array]:
    """Return ranks at which the ECDF is compared, and the probability of a lower rank at each."""
    number_of = min(draws, POINTS, ranks)
    edges = np.unique(np.round(np.linspace(1, draws, number_of)))
    return edges, edges / (draws + 1)


def _tails(n: int, at: Array) -> Array:
    """Return the two-sided binomial tail probability of each count from 0 to n (rows) at each point (columns)."""
    counts = np.arange(n + 1)[:, None]
    below, above = stats.binom.cdf(counts, n, at), stats.binom.sf(counts - 1, n, at)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(below, above)))


def _smallest_tail(inside: NDArray[np.int64], tails: Array) -> Array:
    """Return, for each sample, the smallest tail probability over all points."""
    return np.asarray(tails[inside, np.arange(tails.shape[1])].min(axis=-1))


def _simulated(n: int, at: Array, tails: Array, seed: int) -> Array:
    """Return the smallest tail probabilities of uniform samples: counts between the points are multinomial."""
    shares = np.diff(np.concatenate([[0.0], at, [1.0]]))
    counts = np.random.default_rng(seed).multinomial(n, shares, size=SIMULATIONS)
    return _smallest_tail(counts.cumsum(axis=1)[:, :-1], tails)


def _bins(draws: int, ranks: int) -> int:
    """Return the number of bins: a divisor of the number of ranks, with ten or more expected in each."""
    most = max(2, min(20, ranks // 10))
    divisors = [one for one in range(2, most + 1) if (draws + 1) % one == 0]
    return max(divisors, default=min(most, draws + 1))


def _histogram(values: Array, draws: int, bins: int) -> list[int]:
    place = np.minimum(values * bins // (draws + 1), bins - 1).astype(int)
    return [int(one) for one in np.bincount(place, minlength=bins)]


def _chi_square(values: Array, draws: int) -> tuple[float, int]:
    bins = _bins(draws, values.size)
    ranks_in = np.bincount(np.minimum(np.arange(draws + 1) * bins // (draws + 1), bins - 1), minlength=bins)
    expected = values.size * ranks_in / (draws + 1)
    return float(stats.chisquare(_histogram(values, draws, bins), expected).pvalue), bins


def _shape(values: Array, draws: int) -> str:
    place = (values + 0.5) / (draws + 1)
    shift = (place.mean() - 0.5) / np.sqrt(1 / 12 / values.size)
    width = (place.var() - 1 / 12) / np.sqrt(1 / 180 / values.size)
    if abs(shift) >= abs(width):
        return "the truth is too often " + ("above" if shift > 0 else "below") + " the posterior (bias)"
    return "the posterior is too " + ("narrow" if width > 0 else "wide")
