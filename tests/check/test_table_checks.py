"""Checks of a table find what they are for, and only that."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from packhorse.check import Verdict
from packhorse.check.parameters import parameters_used
from packhorse.check.table_checks import complete, finite, outliers, seed_used, seeds_differ
from packhorse.model.errors import UsageError

REPLICATES = 40


@pytest.fixture
def table() -> pl.DataFrame:
    """Return a table as Packhorse writes it, of two parameters; `b` changes nothing that one can see."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "a": a,
            "b": b,
            "replicate": r,
            "seed": int(rng.integers(2**60)),
            "x": a + rng.normal(),
            "ph_index": 0,
        }
        for a in (0, 5)
        for b in "uv"
        for r in range(REPLICATES)
    ]
    return pl.DataFrame(rows).with_columns(ph_index=pl.int_range(len(rows)))


def test_a_good_table_passes(table: pl.DataFrame) -> None:
    assert complete(table, replicates=REPLICATES, points=4).passed
    assert finite(table).passed
    assert seeds_differ(table).passed
    assert seed_used(table).passed
    assert outliers(table).passed
    a, b = parameters_used(table)
    assert a.passed
    assert b.verdict is Verdict.UNDECIDED


def test_missing_tasks_are_named(table: pl.DataFrame) -> None:
    found = complete(table[:-3], replicates=REPLICATES, points=5)
    assert found.failed
    assert "157 of 200" in found.sentence
    assert "a=5, b=v: 37 of 40" in found.sentence
    assert "1 cell without any" in found.sentence


def test_bad_values_are_counted_by_cell(table: pl.DataFrame) -> None:
    bad = table.with_columns(
        x=pl.when(pl.col("ph_index").is_in([0, 1, 2]))
        .then(math.nan)
        .when(pl.col("ph_index") == 90)
        .then(math.inf)
        .otherwise("x"),
        ok=pl.col("ph_index") > 1,
    )
    found = finite(bad)
    assert found.failed
    assert "x at a=0, b=u: 3" in found.sentence
    assert finite(bad, converged="ok").details[0]["count"] == 1
    assert "2 rows did not converge" in finite(bad, converged="ok").sentence


def test_seeds_that_collide(table: pl.DataFrame) -> None:
    assert seeds_differ(table.with_columns(seed=pl.col("ph_index") % 30)).failed  # in a cell
    assert seeds_differ(table.with_columns(seed=pl.col("ph_index") % 41)).failed  # between cells
    common = seeds_differ(table.with_columns(seed="replicate"))
    assert common.passed
    assert "common random numbers" in common.sentence
    with pytest.raises(UsageError, match="no column of seeds"):
        seeds_differ(table.drop("seed"))


def test_a_script_that_ignores_its_seed(table: pl.DataFrame) -> None:
    same = table.with_columns(x=pl.col("x").first().over("a", "b"))
    assert seed_used(same).failed
    two = table.with_columns(x=pl.when(pl.col("ph_index") < 2).then(pl.lit(0.123456789123)).otherwise("x"))
    assert "2 of 160 rows" in seed_used(two).sentence
    fractions = table.with_columns(x=(pl.col("ph_index") % 7) / 30)
    assert seed_used(fractions).passed


def test_outliers_are_far_away(table: pl.DataFrame) -> None:
    far = outliers(table.with_columns(x=pl.when(pl.col("ph_index") == 7).then(1e4).otherwise("x")))
    assert far.failed
    assert "task 7" in far.sentence


def test_parameters_may_be_lists(table: pl.DataFrame) -> None:
    lists = table.with_columns(a=pl.concat_list("a", "a"))
    assert outliers(lists).passed
    assert parameters_used(lists)[0].passed


def test_a_parameter_that_changes_nothing(table: pl.DataFrame) -> None:
    common = table.with_columns(x=pl.col("x").first().over("a", "replicate"))
    a, b = parameters_used(common, paired=True)
    assert a.passed
    assert b.failed
    once = common.filter(pl.col("replicate") == 0)
    assert [one.verdict for one in parameters_used(once)] == [Verdict.PASS, Verdict.FAIL]
