"""The serial fraction of a task from its times with several numbers of cores.

Amdahl (1967), Validity of the single processor approach to achieving large scale computing capabilities:

    time(p) = time(1) * (s + (1 - s) / p)

with serial fraction s. Errors of times are multiplicative, so the fit is least squares in logarithms. The interval is
that of the F test on the profile of s, which also holds at the ends 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from scipy import stats

WIDE = 0.3  # an interval that is wider does not tell
MISFIT = 0.1  # standard deviation in logarithms up to which the law is good enough, whatever a test says
ALPHA = 0.01  # of the test whether the law fits
GRID = np.linspace(0, 1, 2001)


class Amdahl(Struct, frozen=True, kw_only=True):
    """The serial fraction with its 95 % interval; `undecided` is why it cannot be told, empty where it can."""

    serial: float
    low: float
    high: float
    undecided: str = ""

    def speed_up(self, cores: int) -> float:
        """Return how many times faster a task is with `cores`."""
        return 1 / (self.serial + (1 - self.serial) / cores)

    def cores_worth(self, efficiency: float) -> int | None:
        """Return the most cores that are used with at least this efficiency (0 to 1); None: any number."""
        if self.serial <= 0:
            return None
        return max(1, math.floor(1 + (1 / efficiency - 1) / self.serial + 1e-9))


def serial_fraction(cores: Sequence[int], seconds: Sequence[float]) -> Amdahl:
    """Fit the law to the times of one task, `seconds[i]` with `cores[i]`. Needs positive times."""
    p, y = np.array(cores, dtype=float), np.log(np.array(seconds, dtype=float))
    numbers = sorted(set(cores))
    freedom = len(y) - 2
    if len(numbers) < 2:
        reason = "one number of cores shows no scaling; two are the least"
        return Amdahl(serial=0.0, low=0.0, high=1.0, undecided=reason)
    if freedom < 1:
        reason = "a time for each of two numbers of cores has no measure of its error"
        return Amdahl(serial=0.0, low=0.0, high=1.0, undecided=reason)
    law = np.log(GRID[:, None] + (1 - GRID[:, None]) / p)
    rest = y - law
    squares = ((rest - rest.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    best = int(squares.argmin())
    limit = squares[best] * (1 + stats.f.ppf(0.95, 1, freedom) / freedom)
    inside = GRID[squares <= limit + 1e-12]
    low, high = float(inside.min()), float(inside.max())
    undecided = _misfit(p, y, float(squares[best]), freedom)
    if not undecided and high - low > WIDE:
        undecided = (
            f"the interval is too wide, {low:.2f} to {high:.2f}; longer tasks or more cores would tell"
        )
    return Amdahl(serial=float(GRID[best]), low=low, high=high, undecided=undecided)


def _misfit(p: np.ndarray, y: np.ndarray, squares: float, freedom: int) -> str:
    """Return why the law does not fit: slower with more cores, or off by more than repetitions differ; "" where it does."""
    groups = [y[p == cores] for cores in np.unique(p)]
    if np.exp(groups[-1].mean() - groups[0].mean()) > 1 + MISFIT:
        return "the task is slower with more cores"
    pure = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    pure_freedom, lack = len(y) - len(groups), len(groups) - 2
    if math.sqrt(squares / freedom) <= MISFIT or lack < 1 or pure_freedom < 1:
        return ""
    ratio = (squares - pure) / lack / max(pure / pure_freedom, 1e-300)
    if stats.f.sf(ratio, lack, pure_freedom) < ALPHA:
        return "times do not follow Amdahl's law"
    return ""
