"""Known values: right results pass at the stated rate, wrong ones fail, and few replicates cannot tell."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy import stats

from packhorse import check
from packhorse.check.finding import Verdict
from packhorse.model.errors import UsageError

CELLS = 12


def intervals(rng: np.random.Generator, replicates: int, factor: float = 1.0) -> pl.DataFrame:
    """Return a study of t intervals for a mean in twelve cells; `factor` is a mistake in the standard error."""
    parts = []
    for n in range(5, 5 + CELLS):
        x = rng.normal(2, 1, size=(replicates, n))
        se = factor * x.std(axis=1, ddof=1) / math.sqrt(n)
        half = stats.t.ppf(0.975, n - 1) * se
        mean = x.mean(axis=1)
        parts.append(
            pl.DataFrame({"n": n, "estimate": mean, "se": se, "low": mean - half, "high": mean + half})
        )
    return pl.concat(parts)


def coverage(
    rng: np.random.Generator, replicates: int, factor: float = 1.0, **options: float
) -> check.Finding:
    columns = check.Columns(estimate="estimate", truth=2, se="se", low="low", high="high")
    measured = check.performance(intervals(rng, replicates, factor), columns, ["n"])
    return check.benchmark(measured, "coverage", 0.95, **options)


def test_right_coverage_passes_and_wrong_standard_errors_fail() -> None:
    rng = np.random.default_rng(1)
    assert coverage(rng, 400).passed
    wrong = coverage(rng, 400, 0.8)
    assert wrong.failed
    assert "expected 0.95" in wrong.sentence
    assert wrong.statistic is not None
    assert wrong.statistic < 0.05
    assert len(wrong.details) == CELLS


def test_few_replicates_cannot_tell() -> None:
    finding = coverage(np.random.default_rng(1), 9)
    assert finding.verdict is Verdict.UNDECIDED
    with pytest.raises(TypeError, match="three verdicts"):
        assert finding


def test_equivalence_needs_enough_replicates() -> None:
    rng = np.random.default_rng(2)
    assert coverage(rng, 50, margin=0.02).verdict is Verdict.UNDECIDED
    assert coverage(rng, 4000, margin=0.02).passed
    assert coverage(rng, 4000, 0.7, margin=0.02).failed


def test_the_false_alarm_rate_over_many_cells_is_held() -> None:
    rng = np.random.default_rng(3)
    alarms = sum(coverage(rng, 100).failed for _ in range(40))
    assert alarms <= 6  # 5 % of 40 are 2; more than 6 have a probability of 0.3 %


def test_holm_agrees_with_a_published_example() -> None:
    # Holm 1979: adjusted p-values of 0.01, 0.02, 0.03 and 0.005 are 0.03, 0.04, 0.04 and 0.02.
    from packhorse.check.benchmarks import _adjust

    tested = [{"p": p} for p in (0.01, 0.02, 0.03, 0.005)]
    _adjust(tested)
    assert [one["p"] for one in tested] == pytest.approx([0.03, 0.04, 0.04, 0.02])


def test_a_formula_of_parameters() -> None:
    rng = np.random.default_rng(4)
    rows = [{"n": n, "x": float(v)} for n in (5, 10) for v in rng.normal(size=(200, n)).var(axis=1, ddof=0)]
    measured = check.means(pl.DataFrame(rows), "x", ["n"])
    assert check.benchmark(measured, "mean", "(n - 1) / n").passed
    assert check.benchmark(measured, "mean", "1").failed
    assert check.benchmark(measured, "mean", lambda cell: 1 - 1 / cell["n"]).passed


@pytest.mark.parametrize(
    "text", ["__import__('os')", "n.real", "[n]", "n if n else n", "x", "n +", "n" * 1001, "exp()"]
)
def test_a_formula_is_arithmetic(text: str) -> None:
    measured = check.means({"n": [1] * 20, "y": [1.0] * 20}, "y", ["n"])
    with pytest.raises(UsageError, match="the formula"):
        check.benchmark(measured, "mean", text)


def test_rounding_is_measured_in_ulps() -> None:
    r = np.linspace(0.1, 9, 50)
    table = {"r": r, "area": np.pi * r * r}
    assert check.agrees(table, "area", "pi * r**2", ulp=4).passed
    wrong = check.agrees({**table, "area": 3.14159 * r * r}, "area", "pi * r**2", rtol=1e-9)
    assert wrong.failed
    assert "row 0" in wrong.sentence
    assert check.agrees({"r": [], "area": []}, "area", "r").verdict is Verdict.UNDECIDED
