"""Golden tables: every difference is found, tolerances hold for each column, and a file changes only on purpose."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from packhorse import check
from packhorse.model.errors import UsageError

TABLE = pl.DataFrame(
    {"n": [1, 2, 3], "x": [0.1, 0.2, 0.3], "name": ["a", "b", None], "y": [math.nan, None, 1.0]}
)


def test_equal_tables_agree_whatever_their_order() -> None:
    assert check.compare_tables(TABLE, TABLE).passed
    assert check.compare_tables(TABLE[::-1], TABLE, keys=["n"]).passed
    assert check.compare_tables(TABLE[::-1], TABLE).failed


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (TABLE.with_columns(x=pl.Series([0.1, 0.2, 0.3 + 1e-15])), "x: 1 of 3 differ, the first at n=3"),
        (TABLE.with_columns(name=pl.Series(["a", "c", None])), "name: 1 of 3"),
        (TABLE.with_columns(y=pl.Series([None, None, 1.0])), "y: 1 of 3"),
        (TABLE.with_columns(y=pl.Series([math.nan, math.inf, 1.0])), "y: 1 of 3"),
        (TABLE.drop("x"), "without column x"),
        (TABLE.with_columns(z=1), "further column z"),
        (TABLE[:2], "without 1 row"),
        (pl.concat([TABLE, TABLE.with_columns(n=pl.col("n") + 3)]), "3 further rows"),
    ],
)
def test_every_difference_is_named(changed: pl.DataFrame, text: str) -> None:
    found = check.compare_tables(changed, TABLE, keys=["n"])
    assert found.failed
    assert text in found.sentence


def test_tolerances() -> None:
    off = TABLE.with_columns(x=pl.col("x") * (1 + 4e-16))
    assert check.compare_tables(off, TABLE).failed
    assert check.compare_tables(off, TABLE, ulp=4).passed
    assert check.compare_tables(off, TABLE, columns={"x": check.Tolerance(rtol=1e-15)}).passed
    assert check.compare_tables(off, TABLE, columns={"y": check.Tolerance(rtol=1e-15)}).failed
    assert check.compare_tables(TABLE.with_columns(x=math.inf), TABLE, rtol=10).failed
    with pytest.raises(UsageError, match="do not identify"):
        check.compare_tables(pl.concat([TABLE, TABLE]), TABLE, keys=["n"])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_golden_table_changes_only_on_purpose(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "golden" / f"t.{suffix}"
    assert "no golden table yet" in check.same_as_reference(TABLE, path).sentence
    assert not path.exists()
    assert check.same_as_reference(TABLE, path, update=True).passed
    assert check.same_as_reference(TABLE, path).passed
    before = path.read_bytes()
    changed = TABLE.with_columns(x=pl.col("x") + 1)
    assert check.same_as_reference(changed, path).failed
    assert path.read_bytes() == before
    updated = check.same_as_reference(changed, path, update=True)
    assert "x: 3 of 3 differ" in updated.sentence
    assert check.same_as_reference(changed, path).passed


def test_a_million_rows_take_less_than_three_seconds(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    n = 1_000_000
    frame = pl.DataFrame({"id": np.arange(n), **{f"x{k}": rng.normal(size=n) for k in range(5)}})
    path = tmp_path / "golden.parquet"
    frame.write_parquet(path)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    began = time.process_time()
    assert check.same_as_reference(shuffled, path, keys=["id"], rtol=1e-12).passed
    assert time.process_time() - began < 3


def test_the_fixtures_of_pytest(pytester_folder: Path, run_pytest: object) -> None:
    (pytester_folder / "test_it.py").write_text(
        "from packhorse.check import agrees\n"
        "def test_table(golden): golden({'x': [1.0, 2.5]})\n"
        "def test_good(packhorse_check): packhorse_check(agrees({'x': [1.0]}, 'x', '1'))\n"
        "def test_empty(packhorse_check): packhorse_check(agrees({'x': []}, 'x', '1'))\n"
    )
    first = run_pytest()  # type: ignore[operator]
    assert "1 passed" in first
    assert "2 failed" in first
    assert "no golden table yet" in first
    assert "could not tell" in first
    assert "2 passed" in run_pytest("--update-golden")  # type: ignore[operator]
    assert (pytester_folder / "golden" / "test_table.csv").read_text() == "x\n1.0\n2.5\n"
    assert "2 passed" in run_pytest()  # type: ignore[operator]
