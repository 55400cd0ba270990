"""Ranges are sets of numbers, and what is done with them is what sets would give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from packhorse.plan import waves
from packhorse.worker.ranges import count, joined, spread, to_ranges, without

PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)).map(lambda pair: [pair[0], sum(pair)]))


def held(ranges: list[list[int]]) -> set[int]:
    return {number for a, b in ranges for number in range(a, b)}


@given(PAIRS, PAIRS)
def test_ranges_are_sets(ones: list[list[int]], others: list[list[int]]) -> None:
    whole = joined(ones)
    assert held(whole) == held(ones)
    assert whole == to_ranges(sorted(held(ones))), "in order, and none touch"
    assert count(whole) == len(held(ones))
    left = without(ones, others)
    assert held(left) == held(ones) - held(others)
    assert left == sorted(left)


@given(PAIRS, st.integers(0, 30))
def test_first_tasks_are_spread_as_the_planner_spreads_them(ranges: list[list[int]], number: int) -> None:
    whole = joined(ranges)
    expected = waves.spread([(a, b) for a, b in whole], number) if whole else []
    assert spread(whole, number) == expected
