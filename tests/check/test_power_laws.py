"""Power laws of time and memory: they recover what is known, and refuse what is none."""

from __future__ import annotations

import numpy as np
import pytest

from packhorse import check

N, METHODS = [100, 200, 400, 800, 1600, 3200], ["lasso", "ridge", "ols"]
FACTOR = {"lasso": 2.0, "ridge": 1.0, "ols": 0.5}
AXES = [check.Axis(name="n", levels=N), check.Axis(name="method", levels=METHODS, effect=True)]
ROWS = [{"n": n, "method": method} for n in (100, 800, 3200) for method in METHODS] * 2


def seconds(n: float, method: str) -> float:
    """Return the true time: a start of 50 ms, and a square of n."""
    return 0.05 + 1e-6 * n**2 * FACTOR[method]


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(2)
    total = 10 * sum(seconds(n, method) for n in N for method in METHODS)
    largest = seconds(3200, "lasso")
    covered = np.zeros(3)
    for _ in range(100):
        values = [seconds(**row) * np.exp(0.08 * rng.normal()) for row in ROWS]
        law = check.PowerLaw(ROWS, values, AXES)
        whole, most, (power,) = law.total(10), law.largest(), law.exponents
        task = largest * np.exp(0.08 * rng.normal())
        covered += [
            whole.low <= total <= whole.high,
            most.low <= task <= most.high,
            power.low <= 2 <= power.high,
        ]
    # 95 % of 100, less than four standard errors of it
    assert (covered >= 87).all(), covered


def test_a_billion_tasks_need_no_loop() -> None:
    rows = [{"n": n} for n in (1, 500_000_000, 10**9)] * 2
    law = check.PowerLaw(
        rows, [1e-9 * row["n"] for row in rows], [check.Axis(name="n", levels=range(1, 10**9 + 1))]
    )
    # the sum of n over 1 to 10^9, as a trapezium of levels sees it
    assert law.total(1).value == pytest.approx(1e-9 * 0.5e18, rel=0.01)
    assert law.predict({"n": 1000}) == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("values", "axis", "reason"),
    [
        ([1.0, 5.0, 1.0, 1.02, 5.1, 0.99, 1.01, 5.0, 1.0], [1, 2, 4], "more than replicates differ"),
        ([1.0, 9.0, 1.0], [1, 2, 4], "off the best one"),
        ([1.0, 9.0], [1, 2], "too few"),
        ([1.0, 1.0, 1.0], [1, 1, 1], "measured at one level"),
    ],
)
def test_what_is_no_power_law_is_refused(values: list[float], axis: list[int], reason: str) -> None:
    rows = [{"n": axis[at % len(axis)]} for at in range(len(values))]
    with pytest.raises(check.NoFitError, match=reason):
        check.PowerLaw(rows, values, [check.Axis(name="n", levels=[1, 2, 4])])


def test_an_unmeasured_level_is_named() -> None:
    rows = [row for row in ROWS if row["method"] != "ols"]
    with pytest.raises(check.NoFitError, match="method = ols was not measured"):
        check.PowerLaw(rows, [seconds(**row) for row in rows], AXES)
