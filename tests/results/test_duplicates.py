"""The duplicate-seed warning, and no warning where equal output has another explanation."""

import math
import random
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.results.duplicates import duplicate_seeds, is_evidence
from packhorse.results.table import merge_results
from results.journals import folded, space_of, write_journal


def table_of(directory, space, result):
    records = [
        {
            "index": i,
            "seed": 100 + i,
            "json": result(SimpleNamespace(n=space[i]["n"], r=space.replicate(i), i=i)),
        }
        for i in range(space.size)
    ]
    write_journal(directory, space, records)
    return merge_results(space, folded(directory, space), directory).table


SPACE = space_of({"n": [10, 20]}, replicates=20)


def test_a_script_that_ignores_its_seed_is_told(tmp_path):
    table = table_of(tmp_path, SPACE, lambda t: {"estimate": math.exp(-1 / t.n), "n_seen": t.n})
    found = duplicate_seeds(table, SPACE)
    assert (found.tasks, found.compared, found.groups) == (40, 40, 2)
    assert found.examples[0] == (0, 1, 2, 3, 4)
    assert "estimate" in found.message
    assert "40 of 40" in found.message


def test_one_pair_among_many_is_found(tmp_path):
    rng = random.Random(3)
    draws = [rng.gauss(0, 1) for _ in range(SPACE.size)]
    draws[17] = draws[4]
    found = duplicate_seeds(table_of(tmp_path, SPACE, lambda t: {"x": draws[t.i], "y": 0.5}), SPACE)
    assert (found.tasks, found.examples) == (2, ((4, 17),))


def test_a_seed_that_the_script_prints_hides_nothing(tmp_path):
    table = table_of(tmp_path, SPACE, lambda t: {"x": math.log(t.n), "pid": t.i, "seed": t.i})
    assert duplicate_seeds(table, SPACE).tasks == 40


def test_several_rows_are_compared_as_one_output(tmp_path):
    def rows(t):
        return [{"x": math.pi}, {"x": math.sqrt(t.r // 2 + 2)}]

    found = duplicate_seeds(table_of(tmp_path, SPACE, rows), SPACE)
    assert (found.tasks, found.groups) == (40, 20)
    assert found.examples[0] == (0, 1)


def test_resamples_are_compared_within_one_point(tmp_path):
    space = space_of({"n": [1, 2], "b": list(range(10))}, replicates=1, resample=("b",))
    table = table_of(tmp_path, space, lambda t: {"x": math.log(t.n + 2)})
    assert duplicate_seeds(table, space).groups == 2
    plain = space_of({"n": [1, 2], "b": list(range(10))}, replicates=1)
    assert duplicate_seeds(table, plain) is None, "b is then a parameter, and the output may ignore it"


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(lambda t: {"x": math.log(t.i + 2)}, id="all differ"),
        pytest.param(lambda t: {"hits": t.r % 5}, id="integers only"),
        pytest.param(
            lambda t: {"accuracy": (t.r % 5) / 30, "auc": (t.r % 5) / 1201}, id="fractions of a test set"
        ),
        pytest.param(lambda t: {"p": round(0.01 * (t.r % 3), 3)}, id="few digits"),
        pytest.param(lambda t: {"hits": t.r % 5, "truth": t.n**0.5}, id="a function of the parameters"),
        pytest.param(lambda t: {"hits": t.r % 5 / 4, "truth": t.n**0.5}, id="the same beside a float"),
        pytest.param(lambda _: {"x": None, "y": float("nan")}, id="nothing"),
    ],
)
def test_honest_equality_is_not_told(tmp_path, result):
    assert duplicate_seeds(table_of(tmp_path, SPACE, result), SPACE) is None


def test_one_task_a_point_is_never_told(tmp_path):
    space = space_of({"n": list(range(1, 30))}, replicates=1)
    assert duplicate_seeds(table_of(tmp_path, space, lambda _: {"x": math.pi}), space) is None


def test_equal_seeds_are_not_told(tmp_path):
    table = table_of(tmp_path, SPACE, lambda t: {"x": math.log(t.n + 2)})
    assert duplicate_seeds(table.with_columns(pl.lit(5).alias("seed")), SPACE) is None


@given(st.integers(-(10**6), 10**6), st.integers(1, 10_000))
def test_no_simple_fraction_is_telling(a, b):
    assert not is_evidence(a / b)
