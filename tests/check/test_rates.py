"""False alarm and detection rates: right methods and the same with a mistake, 200 seeded repetitions each."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import stats

from check_methods import euler_maruyama, ode_errors, trapezoid_errors
from packhorse import check
from packhorse.check import Finding

TIMES = 200
REPLICATES = 400
Case = Callable[[int], Finding]


def covers(table: pl.DataFrame, that: str, truth: float) -> Finding:
    columns = check.Columns(estimate="estimate", truth=truth, se="se", low="low", high="high")
    return check.expect(table, that, columns=columns, by=["n"])


def table_of(n: int, estimate: np.ndarray, se: np.ndarray, quantile: float) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "n": n,
            "estimate": estimate,
            "se": se,
            "low": estimate - quantile * se,
            "high": estimate + quantile * se,
        }
    )


def ols(seed: int, mistake: str = "") -> pl.DataFrame:
    """Return slopes of 400 regressions at each of three sample sizes."""
    rng = np.random.default_rng(seed)
    parts = []
    for n in (8, 16, 32):
        x = rng.normal(size=(REPLICATES, n))
        y = 1 + 2 * x + rng.normal(size=x.shape)
        xc, yc = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
        sxx = (xc**2).sum(axis=1)
        slope = (xc * yc).sum(axis=1) / sxx
        rss = ((yc - slope[:, None] * xc) ** 2).sum(axis=1)
        variance = rss / (n if mistake == "n for n - 2" else n - 2) / sxx
        se = variance if mistake == "variance for SE" else np.sqrt(variance)
        quantile = 1.96 if mistake == "z for t" else stats.t.ppf(0.975, n - 2)
        parts.append(table_of(n, slope, se, quantile))
    return pl.concat(parts)


def logistic(seed: int, mistake: str = "") -> pl.DataFrame:
    """Return slopes of 400 logistic regressions of 200 observations by Newton's method."""
    rng = np.random.default_rng(seed)
    x = np.stack([np.ones((REPLICATES, 200)), rng.normal(size=(REPLICATES, 200))], axis=2)
    y = rng.random((REPLICATES, 200)) < 1 / (1 + np.exp(-x @ np.array([0.0, 1.0])))
    beta = np.zeros((REPLICATES, 2))
    weights = np.full((REPLICATES, 200), 0.25)
    for _ in range(8):
        p = 1 / (1 + np.exp(-np.einsum("rnk,rk->rn", x, beta)))
        weights = p * (1 - p)
        information = np.einsum("rnk,rn,rnl->rkl", x, weights, x)
        beta += np.linalg.solve(information, np.einsum("rnk,rn->rk", x, y - p)[..., None])[..., 0]
    if mistake == "weights of 1/4":
        information = np.einsum("rnk,rnl->rkl", x, x) / 4
    se = np.sqrt(np.linalg.inv(information)[:, 1, 1])
    return table_of(200, beta[:, 1], se, 1.96)


def variances(seed: int, ddof: int) -> Finding:
    x = np.random.default_rng(seed).normal(size=(REPLICATES, 10))
    return check.expect({"n": [10] * REPLICATES, "v": x.var(axis=1, ddof=ddof)}, "mean(v) = 1", by=["n"])


def ranks(seed: int, width: float = 1.0) -> Finding:
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=REPLICATES)
    y = mean + rng.normal(size=REPLICATES)
    posterior = y[:, None] / 2 + width * np.sqrt(0.5) * rng.normal(size=(REPLICATES, 99))
    return check.uniform_ranks({"rank": (posterior < mean[:, None]).sum(axis=1)}, "rank", 99)


def seeded(seed: int, kind: str = "") -> pl.DataFrame:
    """Return a table with a seed for each of 3 times 100 tasks."""
    rng = np.random.default_rng(seed)
    seeds = rng.integers(0, 10_000 if kind == "few seeds" else 2**62, size=300)
    x = [0.0 if kind == "ignored" else np.random.default_rng(int(one)).normal() for one in seeds]
    n = np.repeat([1, 2, 3], 100)
    return pl.DataFrame(
        {"n": n, "replicate": np.tile(np.arange(100), 3), "seed": seeds, "x": n * math.pi + x}
    )


def order(order_: int, *, short: bool = False) -> Case:
    return lambda seed: check.order_of_convergence(
        ode_errors(order_, seed, short=short), "error", "h", order_
    )


# Name of the check, the right method, the mistake, the wrong method.
CASES: list[tuple[str, Case, str, Case | None]] = [
    ("order of RK1", order(1), "one step too few is of order 1, too", None),
    ("order of RK2", order(2), "one step too few", order(2, short=True)),
    ("order of RK3", order(3), "one step too few", order(3, short=True)),
    ("order of RK4", order(4), "one step too few", order(4, short=True)),
    (
        "order of the trapezoidal rule",
        lambda seed: check.order_of_convergence(trapezoid_errors(seed), "error", "h", 2),
        "one end with full weight",
        lambda seed: check.order_of_convergence(trapezoid_errors(seed, wrong=True), "error", "h", 2),
    ),
    (
        "strong order of Euler-Maruyama",
        lambda seed: check.strong_order(euler_maruyama(seed, 1000), "error", "h", 0.5),
        "wrong power of the step",
        lambda seed: check.strong_order(euler_maruyama(seed, 1000, wrong=True), "error", "h", 0.5),
    ),
    (
        "weak order of Euler-Maruyama",
        lambda seed: check.weak_order(euler_maruyama(seed, 20_000, grids=4), "error", "h", 1),
        "wrong drift",
        lambda seed: check.weak_order(euler_maruyama(seed, 20_000, grids=4, drift=0.7), "error", "h", 1),
    ),
    (
        "coverage of OLS",
        lambda seed: covers(ols(seed), "coverage = 0.95", 2),
        "normal quantile for that of t",
        lambda seed: covers(ols(seed, "z for t"), "coverage = 0.95", 2),
    ),
    (
        "model SE of OLS",
        lambda seed: covers(ols(seed), "se_ratio = 1", 2),
        "n for n - 2",
        lambda seed: covers(ols(seed, "n for n - 2"), "se_ratio = 1", 2),
    ),
    (
        "model SE of OLS, swapped",
        lambda seed: covers(ols(seed), "se_ratio = 1", 2),
        "variance for SE",
        lambda seed: covers(ols(seed, "variance for SE"), "se_ratio = 1", 2),
    ),
    (
        "coverage of logistic regression",
        lambda seed: covers(logistic(seed), "coverage = 0.95", 1),
        "weights of 1/4",
        lambda seed: covers(logistic(seed, "weights of 1/4"), "coverage = 0.95", 1),
    ),
    ("mean of a variance", lambda seed: variances(seed, 1), "n for n - 1", lambda seed: variances(seed, 0)),
    ("calibration of a sampler", ranks, "posterior 20 % too narrow", lambda seed: ranks(seed, 0.8)),
    (
        "different seeds",
        lambda seed: check.seeds_differ(seeded(seed), ["n"]),
        "300 seeds out of 10,000",
        lambda seed: check.seeds_differ(seeded(seed, "few seeds"), ["n"]),
    ),
    (
        "seed is used",
        lambda seed: check.seed_used(seeded(seed), ["n"]),
        "a script that ignores it",
        lambda seed: check.seed_used(seeded(seed, "ignored"), ["n"]),
    ),
]


def share(case: Case, verdict: str, times: int) -> tuple[int, float, float, int]:
    """Return how often a verdict was found, its 95 % interval, and how often the check could not tell."""
    found = [case(seed).verdict.value for seed in range(times)]
    count = found.count(verdict)
    interval = stats.binomtest(count, times).proportion_ci(0.95, method="exact")
    return count, float(interval.low), float(interval.high), found.count("could not tell")


@pytest.mark.campaign
@pytest.mark.parametrize("case", CASES, ids=[name for name, *_ in CASES])
def test_right_methods_pass_and_wrong_ones_fail(
    case: tuple[str, Case, str, Case | None], capsys: pytest.CaptureFixture[str]
) -> None:
    name, right, mistake, wrong = case
    alarms, low, high, unclear = share(right, "fail", TIMES)
    row = f"| {name} | {alarms / TIMES:.1%} ({low:.1%} to {high:.1%}) | {unclear / TIMES:.0%} | {mistake} |"
    detected = TIMES
    if wrong:
        detected, low_detected, high_detected, _ = share(wrong, "fail", TIMES)
        row += f" {detected / TIMES:.1%} ({low_detected:.1%} to {high_detected:.1%}) |"
    with capsys.disabled():
        sys.stdout.write(f"\n{row}\n")
    assert low <= 0.05, "more false alarms than promised"
    if name != "weak order of Euler-Maruyama":
        assert unclear < 0.15 * TIMES
    assert detected >= 0.8 * TIMES
