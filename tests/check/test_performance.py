"""Performance measures agree with published tables and with brute force, and failures are counted."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from packhorse import check
from packhorse.model.errors import UsageError

# The summary that the README of rsimsum prints for its data set MIsim (1,000 replicates, true value 0.5): bias, empirical SE,
# model SE and coverage of three methods, each with its MCSE; relative error of the model SE in percent.
RSIMSUM = {
    "CC": ((0.0168, 0.0048), (0.1511, 0.0034), (0.1471, 0.0005), (-2.6594, 2.2049), (0.9430, 0.0073)),
    "MI_LOGT": ((0.0009, 0.0042), (0.1320, 0.0030), (0.1349, 0.0006), (2.2233, 2.3318), (0.9490, 0.0070)),
    "MI_T": ((-0.0012, 0.0043), (0.1344, 0.0030), (0.1338, 0.0006), (-0.4412, 2.2690), (0.9430, 0.0073)),
}


def with_moments(mean: float, sd: float, n: int, seed: int) -> np.ndarray:
    """Return values with exactly this mean and standard deviation."""
    values = np.random.default_rng(seed).normal(size=n)
    return mean + sd * (values - values.mean()) / values.std(ddof=1)


def measure(frame: pl.DataFrame, name: str) -> tuple[float, float, int, int]:
    row = frame.row(by_predicate=pl.col("measure") == name, named=True)
    return row["value"], row["mcse"], row["count"], row["failed"]


@pytest.mark.parametrize("method", RSIMSUM)
def test_the_errors_are_those_that_rsimsum_publishes(method: str) -> None:
    bias, empirical, model, relative, coverage = RSIMSUM[method]
    n = 1000
    # The published MCSE of the model SE determines the spread of the squared standard errors.
    variances = with_moments(model[0] ** 2, model[1] * 2 * math.sqrt(n) * model[0], n, 2)
    table = {
        "b": with_moments(0.5 + bias[0], empirical[0], n, 1),
        "se": np.sqrt(np.abs(variances)),
        "covered": np.arange(n) < coverage[0] * n,
    }
    found = check.performance(table, check.Columns(estimate="b", truth=0.5, se="se", covered="covered"))
    for name, (value, mcse), digits in (
        ("bias", bias, 5e-5),
        ("empirical_se", empirical, 5.1e-5),
        ("model_se", model, 3e-4),
        ("coverage", coverage, 5.1e-5),
    ):
        assert measure(found, name)[0] == pytest.approx(value, abs=digits)
        assert measure(found, name)[1] == pytest.approx(mcse, abs=digits)
    ratio, mcse, count, _ = measure(found, "se_ratio")
    assert 100 * (ratio - 1) == pytest.approx(relative[0], abs=0.15)  # from values rounded to four digits
    assert 100 * mcse == pytest.approx(relative[1], abs=0.05)
    assert count == n


def study(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Return a simulation study of the mean of ten exponential values."""
    x = rng.exponential(size=(n, 10))
    return {"estimate": x.mean(axis=1), "se": x.std(axis=1, ddof=1) / math.sqrt(10)}


@pytest.mark.parametrize("times", [200, pytest.param(2000, marks=pytest.mark.campaign)])
def test_the_errors_are_those_of_repeated_studies(times: int) -> None:
    rng = np.random.default_rng(5)
    columns = check.Columns(estimate="estimate", truth=1.0, se="se", null=0.5)
    studies = [check.performance(study(rng, 200), columns) for _ in range(times)]
    values = pl.concat(studies).group_by("measure").agg(pl.col("value").std(), pl.col("mcse").mean())
    assert values.height == 11
    for name, spread, mcse in values.iter_rows():
        # Skewed errors make the formula of the empirical SE too small: it assumes normal estimates.
        slack = 4 / math.sqrt(2 * times) + (0.25 if name in ("empirical_se", "se_ratio") else 0.08)
        if name != "convergence":
            assert abs(mcse / spread - 1) < slack, (name, mcse, spread)


def test_the_bootstrap_needs_no_normal_estimates() -> None:
    rng = np.random.default_rng(6)
    columns = check.Columns(estimate="estimate", truth=1.0)
    studies = [check.performance(study(rng, 40), columns, mcse="bootstrap") for _ in range(150)]
    values = pl.concat(studies).filter(pl.col("measure") == "empirical_se")
    assert values["mcse"].mean() == pytest.approx(values["value"].std(), rel=0.2)  # type: ignore[arg-type]


def test_a_method_that_fails_is_counted_and_hides_no_other() -> None:
    rows = {
        "n": [10] * 8,
        "replicate": [0, 1, 2, 3] * 2,
        "method": ["a"] * 4 + ["b"] * 4,
        "x": [1.0, 2.0, 3.0, 4.0, 1.5, math.nan, 3.5, 99.0],
        "ok": [True] * 7 + [False],
    }
    columns = check.Columns(estimate="x", truth=2.0, method="method", converged="ok")
    found = check.performance(rows, columns, ["n"], expected=5)
    a, b = (found.filter(pl.col("method") == method) for method in "ab")
    assert measure(a, "bias")[0::2] == (0.5, 4)
    assert measure(b, "bias")[0::2] == (0.5, 2)
    assert measure(a, "convergence") == (0.8, pytest.approx(math.sqrt(0.8 * 0.2 / 5)), 5, 1)
    assert measure(b, "convergence")[0::3] == (0.4, 3)
    paired = check.compare_methods(rows, columns, ["n"])
    row = paired.row(by_predicate=pl.col("measure") == "bias_difference", named=True)
    assert (row["value"], row["pairs"], row["unpaired"], row["unpaired_reference"]) == (0.5, 2, 2, 2)


def test_common_random_numbers_make_differences_precise() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=500)
    rows = {
        "replicate": np.tile(np.arange(500), 2),
        "method": ["a"] * 500 + ["b"] * 500,
        "x": np.concatenate([x, 0.1 + x + 0.1 * rng.normal(size=500)]),
    }
    columns = check.Columns(estimate="x", truth=0.0, method="method")
    paired = check.compare_methods(rows, columns, [])
    value, mcse = paired.filter(pl.col("measure") == "bias_difference").select("value", "mcse").row(0)
    alone = check.performance(rows, columns, [])["mcse"].max()
    assert abs(value - 0.1) < 4 * mcse
    assert mcse < 0.2 * alone  # type: ignore[operator]


def test_precision_gain_is_the_published_one() -> None:
    # rsimsum's README: MI_LOGT gains 31.0463 (3.9375) per cent of precision over CC; the correlation follows from the MCSE.
    n, base, sd = 1000, 0.1511, 0.1320
    ratio = (base / sd) ** 2
    correlation = math.sqrt(1 - (3.9375 / (200 * ratio)) ** 2 * (n - 1))
    u, v = with_moments(0, 1, n, 1), with_moments(0, 1, n, 2)
    v = with_moments(0, 1, n, 2) - u * (u @ v) / (u @ u)
    v /= v.std(ddof=1)
    rows = {
        "replicate": np.tile(np.arange(n), 2),
        "method": ["CC"] * n + ["MI_LOGT"] * n,
        "b": np.concatenate([base * u, sd * (correlation * u + math.sqrt(1 - correlation**2) * v)]),
    }
    paired = check.compare_methods(rows, check.Columns(estimate="b", method="method"), [])
    row = paired.row(by_predicate=pl.col("measure") == "precision_gain", named=True)
    assert row["value"] == pytest.approx(31.0463, abs=0.1)
    assert row["mcse"] == pytest.approx(3.9375, abs=0.005)


def test_tails_are_trimmed_or_winsorised() -> None:
    values = {"x": [*range(1, 20), 1000.0]}
    columns = check.Columns(estimate="x", truth=0.0)
    assert measure(check.performance(values, columns), "bias")[0] == pytest.approx(59.5)
    trimmed = check.performance(values, columns, trim=0.1)
    winsorised = check.performance(values, columns, winsorise=0.1)
    assert measure(trimmed, "bias")[0::2] == (pytest.approx(10.5), 16)
    assert measure(winsorised, "bias")[0::2] == (pytest.approx(10.5, abs=0.1), 20)


def test_replicates_for_a_wished_error() -> None:
    table = {"x": with_moments(0, 1, 100, 1), "covered": [True] * 95 + [False] * 5}
    found = check.performance(table, check.Columns(estimate="x", truth=0.0, covered="covered"))
    # Morris, White and Crowther 2019, section 5.3: a coverage of 95 % with an MCSE of 0.5 % needs 1,900 replicates.
    needed = check.replicates_needed(found, "coverage", 0.005)
    assert 1900 <= needed["needed"][0] <= 2300
    assert check.replicates_needed(found, "bias", 0.05).row(0)[-2:] == (400, 300)
    with pytest.raises(UsageError, match="no measure 'x'"):
        check.replicates_needed(found, "x", 0.05)


@pytest.mark.parametrize("kind", ["polars", "pandas", "arrow", "csv", "parquet"])
def test_tables_of_every_kind(kind: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [1, 1, 2, 2], "replicate": [0, 1, 0, 1], "x": [1.0, 3.0, math.nan, 5.0]})
    table = {
        "polars": lambda: frame,
        "pandas": frame.to_pandas,
        "arrow": frame.to_arrow,
        "csv": lambda: (frame.write_csv(tmp_path / "t.csv"), tmp_path / "t.csv")[1],
        "parquet": lambda: (frame.write_parquet(tmp_path / "t.parquet"), str(tmp_path / "t.parquet"))[1],
    }[kind]()
    found = check.performance(table, check.Columns(estimate="x", truth=2.0))
    bias = found.filter(pl.col("measure") == "bias")
    assert bias["value"].to_list() == [0.0, 3.0]
    assert bias["count"].to_list() == [2, 1]
    assert bias["failed"].to_list() == [0, 1]


def test_mistakes_are_explained() -> None:
    table = {"x": [1.0], "t": ["a"]}
    with pytest.raises(UsageError, match="no column 'y'"):
        check.performance(table, check.Columns(estimate="y"))
    with pytest.raises(UsageError, match="not numeric"):
        check.performance(table, check.Columns(estimate="t"))
    with pytest.raises(UsageError, match=r"0\.5"):
        check.performance(table, check.Columns(estimate="x"), trim=0.7)
    with pytest.raises(UsageError, match="no table"):
        check.performance("absent.csv", check.Columns(estimate="x"))
