"""Summaries, compared with closed forms and with simulations."""

import math
import random
import statistics

import polars as pl
import pytest

from packhorse.model.errors import UsageError
from packhorse.results.summary import summarise


def one(values, **more):
    return summarise(pl.DataFrame({"x": values}, strict=False), of=["x"], **more).row(0, named=True)


def test_mean_and_sd_against_the_standard_library():
    rng = random.Random(1)
    values = [rng.gauss(3, 2) for _ in range(500)]
    row = one(values, quantiles=[0.25, 0.5])
    assert row["count"] == 500
    assert row["mean"] == pytest.approx(statistics.fmean(values))
    assert row["sd"] == pytest.approx(statistics.stdev(values))
    assert row["mean_mcse"] == pytest.approx(statistics.stdev(values) / math.sqrt(500))
    m = statistics.fmean(values)
    m4 = statistics.fmean([(v - m) ** 4 for v in values])
    s = statistics.stdev(values)
    assert row["sd_mcse"] == pytest.approx(math.sqrt((m4 - s**4 * 497 / 499) / 500) / (2 * s))
    quartile, median, _ = statistics.quantiles(values, n=4, method="inclusive")
    assert (row["q0.25"], row["q0.5"]) == (pytest.approx(quartile), pytest.approx(median))


@pytest.mark.parametrize(
    "draw", [lambda rng: rng.gauss(0, 1), lambda rng: rng.expovariate(1)], ids=["normal", "exp"]
)
def test_the_errors_are_the_spread_over_repeated_studies(draw):
    rng = random.Random(5)
    groups, n = 1500, 200
    table = pl.DataFrame(
        {"g": [g for g in range(groups) for _ in range(n)], "x": [draw(rng) for _ in range(groups * n)]}
    )
    found = summarise(table, by=["g"], of=["x"], quantiles=[0.5, 0.9])
    for name in ("mean", "sd", "q0.5", "q0.9"):
        spread = found[name].std()
        told = math.sqrt((found[f"{name}_mcse"] ** 2).mean())
        assert told == pytest.approx(spread, rel=0.12), name


def test_proportions_have_the_binomial_error():
    expected = math.sqrt(0.9 * 0.1 / 400)
    for values in ([True] * 360 + [False] * 40, [1] * 360 + [0] * 40, [1.0] * 360 + [0.0] * 40):
        row = one(values)
        assert (row["mean"], row["mean_mcse"]) == (pytest.approx(0.9), pytest.approx(expected))
    assert one([True, True])["mean_mcse"] == 0


def test_holes_are_counted_and_left_out():
    row = one([1.0, None, math.nan, 3.0, None], quantiles=[0.5])
    assert (row["count"], row["null"], row["nan"], row["mean"], row["q0.5"]) == (2, 2, 1, 2.0, 2.0)


@pytest.mark.parametrize(
    "values", [[], [None], [math.nan], [2.5], [2.5, 2.5, 2.5, 2.5], [math.inf, 1.0, math.inf]]
)
def test_small_and_odd_groups_give_no_wrong_error(values):
    table = pl.DataFrame(
        {"x": pl.Series(values, dtype=pl.Float64), "g": pl.Series([1] * len(values), dtype=pl.Int64)}
    )
    found = summarise(table, by=["g"], of=["x"], quantiles=[0.025, 0.5])
    for row in found.to_dicts():
        assert row["count"] + row["null"] + row["nan"] == len(values)
        if row["count"] < 2:
            assert row["mean_mcse"] is None
            assert row["sd_mcse"] is None
            assert row["q0.5_mcse"] is None
        if values[:1] == [2.5] and len(values) > 1:
            assert (row["sd"], row["sd_mcse"], row["q0.5"]) == (0, 0, 2.5)


def test_an_extreme_quantile_of_few_values_has_no_error():
    row = one([float(i) for i in range(40)], quantiles=[0.025, 0.5])
    assert row["q0.025"] == pytest.approx(0.975)
    assert row["q0.025_mcse"] is None
    assert row["q0.5_mcse"] > 0


def test_groups_and_columns():
    table = pl.DataFrame(
        {
            "n": [20, 10, 20, 10],
            "seed": [1, 2, 3, 4],
            "x": [1.0, 2.0, 3.0, 4.0],
            "y": ["a"] * 4,
            "ph_wall": [1.0] * 4,
        }
    )
    found = summarise(table, by=["n"])
    assert found.select("n", "column", "count", "mean").rows() == [(10, "x", 2, 3.0), (20, "x", 2, 2.0)]


def test_a_parameter_may_be_called_like_a_statistic():
    table = pl.DataFrame({"mean": [1, 2], "column": ["a", "a"], "x": [1.0, 2.0]})
    found = summarise(table, by=["mean", "column"], of=["x"])
    assert found.select("mean", "column", "column_summary", "mean_summary").rows() == [
        (1, "a", "x", 1.0),
        (2, "a", "x", 2.0),
    ]


@pytest.mark.parametrize(
    ("more", "told", "hint"),
    [
        ({"of": ["z"]}, "no column 'z'", "x, y"),
        ({"of": ["y"]}, "is not numeric", "x"),
        ({"of": ["x"], "by": ["w"]}, "no column 'w'", "x, y"),
        ({"of": ["x"], "quantiles": [95]}, "quantile 95 is not between", "0.975"),
    ],
)
def test_what_cannot_be_summarised_is_refused(more, told, hint):
    with pytest.raises(UsageError, match=told) as refused:
        summarise(pl.DataFrame({"x": [1.0], "y": ["a"]}), **more)
    assert hint in refused.value.hint
