"""Time or memory of a task as a power law of its parameters, with what a whole parameter space then needs.

    y = start + c * product of x_k ** b_k * product of factors of levels, with a multiplicative error

The fit is least squares in logarithms, since errors of run times grow with the time; the start (of an interpreter, of
imports) is fitted only where it makes the fit better. Sums and maxima over a full product of levels need no loop over
its points, since the law is a product of the axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from scipy import optimize, stats

from packhorse.text.amounts import counted

Array = Any  # an array of NumPy
DRAWS = 400
MOST_LEVELS = 2000  # of an axis that are summed one by one; of more, as many are taken at equal distances
SCATTER = (
    0.3  # largest standard deviation in logarithms without replicates to compare it with: a factor of 1.35
)
EXACT = 0.1  # up to this standard deviation (10 %) a law is good enough, whatever a test of it says
ALPHA = 0.01  # of the test for lack of fit
BETTER = 0.05  # level at which a start is fitted
MOST_EXPONENT = 30.0


class NoFitError(ValueError):
    """Why no power law fits."""


class Axis(Struct, frozen=True, kw_only=True):
    """One axis of a full product: a parameter with all its levels, or their number where it has no effect.

    `effect`: each level has a factor; else the parameter is a positive number with an exponent.
    """

    name: str
    levels: Sequence[Any]
    effect: bool = False


class Exponent(Struct, frozen=True, kw_only=True):
    """An exponent with its 95 % interval."""

    parameter: str
    value: float
    low: float
    high: float


class Range(Struct, frozen=True, kw_only=True):
    """A predicted value, and the 95 % interval of it."""

    value: float
    low: float
    high: float


class PowerLaw:
    """A fitted law; raises NoFitError where the values do not follow one.

    `rows` are the parameters of each measured task, `values` what was measured (positive).
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], values: Sequence[float], axes: Sequence[Axis]
    ) -> None:
        _check_levels(axes, rows)
        seen = [axis for axis in axes if len(axis.levels) > 1]
        self.axes, self.columns = tuple(axes), _columns(seen)
        design = np.array([self._encoded(row) for row in rows], dtype=float)
        y = np.log(np.array(values, dtype=float))
        tasks, width = design.shape
        if tasks < width + 1:
            raise NoFitError(f"{counted(tasks, 'task')} are too few for {counted(width, 'coefficient')}")
        if np.linalg.matrix_rank(design) < width:
            raise NoFitError("the measured tasks do not separate the parameters")
        self.start = 0.0
        self.coefficients, rest = _least_squares(design, y)
        jacobian = design
        started = _with_start(design, y, rest) if width > 1 and tasks >= width + 3 else None
        if started is not None:
            self.start, self.coefficients, rest, jacobian = started
        self.freedom = tasks - jacobian.shape[1]
        self.scatter = float(np.sqrt(rest @ rest / self.freedom))
        _check_fit(rows, y, rest, jacobian.shape[1])
        covariance = np.linalg.pinv(jacobian.T @ jacobian) * self.scatter**2
        # Multivariate t: coefficients whose variance is itself estimated.
        random = np.random.default_rng(1)
        wide = np.sqrt(self.freedom / random.chisquare(self.freedom, DRAWS))[:, None]
        noise = random.multivariate_normal(np.zeros(len(covariance)), covariance, DRAWS) * wide
        self._starts = np.full(DRAWS, self.start)
        if started is not None:
            self._starts = np.exp(np.log(self.start) + np.clip(noise[:, 0], -3, 3))
            noise = noise[:, 1:]
        self._draws = self.coefficients + noise
        self._errors = random.standard_t(self.freedom, DRAWS) * self.scatter
        self._half = stats.t.ppf(0.975, self.freedom) * np.sqrt(np.diag(covariance))[started is not None :]

    @property
    def exponents(self) -> list[Exponent]:
        """The exponent of each parameter that is a number and varied."""
        return [
            Exponent(
                parameter=name,
                value=float(self.coefficients[at]),
                low=float(self.coefficients[at] - self._half[at]),
                high=float(self.coefficients[at] + self._half[at]),
            )
            for at, (name, level) in enumerate(self.columns, 1)
            if level is None
        ]

    def total(self, copies: int) -> Range:
        """Return the sum over all points of the axes, each `copies` times."""
        points = 1
        for axis in self.axes:
            points *= len(axis.levels)
        # The mean of a lognormal error.
        law = np.exp(self._draws[:, 0] + self.scatter**2 / 2)
        best = np.exp(self.coefficients[0] + self.scatter**2 / 2)
        for axis in self.axes:
            law = law * self._over(axis, self._draws, np.sum)
            best = best * self._over(axis, self.coefficients[None, :], np.sum)[0]
        return self._range(copies * (points * self.start + best), copies * (points * self._starts + law))

    def largest(self) -> Range:
        """Return the value of one task at the largest point; the interval is that of a task, not of the mean."""
        law, best = np.exp(self._draws[:, 0] + self._errors), np.exp(self.coefficients[0])
        for axis in self.axes:
            law = law * self._over(axis, self._draws, np.max)
            best = best * self._over(axis, self.coefficients[None, :], np.max)[0]
        return self._range(self.start + best, self._starts + law)

    def predict(self, parameters: Mapping[str, Any]) -> float:
        """Return the expected median of one task."""
        return self.start + float(np.exp(np.array(self._encoded(parameters)) @ self.coefficients))

    @staticmethod
    def _range(value: float, draws: Array) -> Range:
        low, high = np.quantile(draws, [0.025, 0.975])
        return Range(value=float(value), low=float(min(low, value)), high=float(max(high, value)))

    def _encoded(self, row: Mapping[str, Any]) -> list[float]:
        return [1.0, *(_coded(row[name], level) for name, level in self.columns)]

    def _over(self, axis: Axis, draws: Array, reduce: Any) -> Array:
        """Return the sum or maximum, over the levels of an axis, of its factor in the law, for each draw."""
        step = -(-len(axis.levels) // MOST_LEVELS)
        levels = axis.levels[::step]
        if step > 1:
            levels = [*levels[:-1], axis.levels[-1]]
        mine = [at for at, (name, _) in enumerate(self.columns, 1) if name == axis.name]
        if not mine:
            return np.full(len(draws), len(axis.levels) if reduce is np.sum else 1.0)
        coded = np.array(
            [[_coded(level, self.columns[at - 1][1]) for at in mine] for level in levels], dtype=float
        )
        factors = np.exp(np.clip(draws[:, mine] @ coded.T, -700, 700))
        found = reduce(factors, axis=1)
        return found * (len(axis.levels) / len(levels)) if reduce is np.sum else found


def _check_levels(axes: Sequence[Axis], rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise NoFitError where the measured tasks say nothing about a parameter, or about one of its levels."""
    for axis in axes:
        measured = {repr(row[axis.name]) for row in rows}
        if len(axis.levels) > 1 and len(measured) < 2:
            raise NoFitError(f"{axis.name} was measured at one level")
        lacking = [level for level in axis.levels if repr(level) not in measured] if axis.effect else []
        if lacking:
            raise NoFitError(f"{axis.name} = {lacking[0]} was not measured")


def _columns(axes: Sequence[Axis]) -> list[tuple[str, Any]]:
    """Return (parameter, None) for an exponent, and (parameter, (level,)) for the factor of a level."""
    columns: list[tuple[str, Any]] = []
    for axis in axes:
        if not axis.effect:
            columns.append((axis.name, None))
            continue
        columns += [(axis.name, (level,)) for level in axis.levels[1:]]
    return columns


def _coded(value: Any, level: Any) -> float:
    return float(np.log(value)) if level is None else float(repr(value) == repr(level[0]))


def _least_squares(design: Array, y: Array) -> tuple[Array, Array]:
    coefficients = np.linalg.lstsq(design, y, rcond=None)[0]
    return coefficients, y - design @ coefficients


def _with_start(design: Array, y: Array, rest: Array) -> tuple[float, Array, Array, Array] | None:
    """Return (start, coefficients, residuals, jacobian) with a start; None where it fits no better (F test)."""
    least = float(np.exp(y.min()))
    best = None
    for share in (0.5, 0.9, 0.98):
        first = np.linalg.lstsq(design, np.log(np.exp(y) - share * least), rcond=None)[0]

        def model(theta: Array) -> Array:
            return np.logaddexp(theta[0], np.clip(design @ theta[1:], -700, 700)) - y

        limits = np.full(design.shape[1] + 1, np.inf)
        limits[2:] = MOST_EXPONENT
        found = optimize.least_squares(model, [np.log(share * least), *first], max_nfev=400)
        if best is None or found.cost < best.cost:
            best = found
    if best is None:
        return None
    freedom = len(y) - design.shape[1] - 1
    ratio = (rest @ rest - 2 * best.cost) / max(2 * best.cost / freedom, 1e-300)
    if ratio < stats.f.ppf(1 - BETTER, 1, freedom) or abs(best.x[2:]).max() > MOST_EXPONENT:
        return None
    return float(np.exp(best.x[0])), best.x[1:], -best.fun, best.jac


def _check_fit(rows: Sequence[Mapping[str, Any]], y: Array, rest: Array, width: int) -> None:
    """Raise NoFitError where the law misses the values by more than they scatter.

    With replicates: the F test for lack of fit (Draper and Smith, Applied Regression Analysis, section 2.1).
    """
    freedom = len(y) - width
    scatter = float(np.sqrt(rest @ rest / freedom))
    if scatter <= EXACT:
        return
    places: dict[str, list[float]] = {}
    for row, value in zip(rows, y, strict=True):
        places.setdefault(repr(sorted(row.items())), []).append(float(value))
    pure = sum(float(np.sum((np.array(group) - np.mean(group)) ** 2)) for group in places.values())
    pure_freedom = len(y) - len(places)
    lack_freedom = freedom - pure_freedom
    if pure_freedom >= 3:
        if lack_freedom < 1:
            return
        ratio = (rest @ rest - pure) / lack_freedom / max(pure / pure_freedom, 1e-300)
        if stats.f.sf(ratio, lack_freedom, pure_freedom) >= ALPHA:
            return
        raise NoFitError(f"points lie {np.expm1(scatter):.0%} off, more than replicates differ")
    if scatter > SCATTER:
        raise NoFitError(f"points lie {np.expm1(scatter):.0%} off the best one")
