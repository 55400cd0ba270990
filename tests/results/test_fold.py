"""The final outcome of each task."""

import random
import tracemalloc
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from packhorse.results.fold import Retry, fold, to_ranges
from packhorse.results.index_map import map_indices
from packhorse.results.journal import OUTCOMES, read_journals
from results.journals import folded, space_of, write_journal

SPACE = space_of()  # 3 points of 4 replicates


def ok(index, value=1.5, **more):
    return {"index": index, "json": {"x": value}, **more}


def failed(index, outcome="FAILED", **more):
    return {"index": index, "outcome": outcome, **more}


def test_ok_beats_everything_and_the_lowest_wave_wins(tmp_path):
    write_journal(tmp_path, SPACE, [failed(0), ok(1)], wave=1)
    write_journal(tmp_path, SPACE, [ok(0), ok(1), failed(2)], wave=2)
    write_journal(tmp_path, SPACE, [failed(0), failed(1), failed(2, "TIMEOUT")], wave=3)
    found = folded(tmp_path, SPACE)
    assert [found.state(i) for i in range(4)] == ["OK", "OK", "TIMEOUT", "MISSING"]
    assert found.record(0)[0].header.wave == 2
    assert found.record(1)[0].header.wave == 1
    assert found.counts == {"OK": 2, "FAILED": 0, "TIMEOUT": 1, "MEMORY": 0, "UNFINISHED": 0, "MISSING": 9}
    assert found.missing() == [(3, 12)]
    assert found.ranges("OK", "TIMEOUT") == [(0, 3)]


def test_the_later_attempt_speaks_where_none_succeeded(tmp_path):
    write_journal(tmp_path, SPACE, [failed(0, attempt=1), failed(0, "MEMORY", attempt=2)])
    assert folded(tmp_path, SPACE).state(0) == "MEMORY"


def test_successes_twice_are_counted_and_compared_to_the_last_bit(tmp_path):
    write_journal(tmp_path, SPACE, [ok(0), ok(1, 0.0), ok(2), ok(3, float("nan"))], element=0)
    write_journal(tmp_path, SPACE, [ok(0), ok(1, -0.0), ok(3, float("nan"))], element=1)
    found = folded(tmp_path, SPACE)
    assert found.duplicates.indices == (0, 1, 3)
    assert found.duplicates.differing == (1,)


def test_a_record_written_again_after_a_disk_error_is_one_success(tmp_path):
    write_journal(tmp_path, SPACE, [ok(0, begin=5.0)], name="1-0-0-h-1-ab")
    write_journal(tmp_path, SPACE, [ok(0, begin=5.0)], name="1-0-0-h-1-ab.1")
    assert folded(tmp_path, SPACE).duplicates.indices == ()


def test_a_retry_overrules_earlier_failures_and_no_success(tmp_path):
    write_journal(tmp_path, SPACE, [failed(0), failed(1), ok(2), failed(5)], wave=1)
    write_journal(tmp_path, SPACE, [failed(1, "TIMEOUT")], wave=2)
    found = folded(tmp_path, SPACE, retries=[Retry(2, SPACE.digest, [(0, 3)])])
    assert [found.state(i) for i in (0, 1, 2, 5)] == ["MISSING", "TIMEOUT", "OK", "FAILED"]


def test_a_retry_overrules_successes_that_nobody_can_read(tmp_path):
    write_journal(tmp_path, SPACE, [ok(0), ok(1), ok(2)], wave=1)
    write_journal(tmp_path, SPACE, [ok(1, 7.5)], wave=2)
    retry = Retry(2, SPACE.digest, [(0, 3)], [(0, 2)])
    found = folded(tmp_path, SPACE, retries=[retry])
    assert [found.state(i) for i in range(3)] == ["MISSING", "OK", "OK"]
    assert found.record(1)[0].header.wave == 2
    assert found.duplicates.indices == ()


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_the_word_does_not_depend_on_the_order_of_journals(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("run")
    outcomes = st.sampled_from(OUTCOMES)
    records = st.lists(st.tuples(st.integers(0, 5), outcomes, st.integers(1, 3)), max_size=8)
    for number in range(data.draw(st.integers(1, 4))):
        said = [
            {"index": i, "outcome": o, "attempt": a, "json": [number, n]}
            for n, (i, o, a) in enumerate(data.draw(records))
        ]
        where = {"wave": data.draw(st.integers(1, 2)), "element": data.draw(st.integers(0, 1))}
        write_journal(directory, SPACE, said, name=f"j{number}", **where)
    journals = read_journals(directory)
    retries = [Retry(2, SPACE.digest, [(0, 2)])]

    def word(order):
        found = fold(SPACE.size, order, space=SPACE.digest, retries=retries)
        words = [found.record(i) for i in range(SPACE.size)]
        return [None if w is None else (w[0].path, w[1].json, w[1].outcome) for w in words], found.duplicates

    expected = word(journals)
    for _ in range(3):
        data.draw(st.randoms()).shuffle(journals)
        assert word(journals) == expected
    # What one word is follows from the records alone.
    for i, held in enumerate(expected[0]):
        seen = [r.outcome for j in journals for r in j.records() if r.index == i]
        assert ("OK" in seen) == (held is not None and held[2] == "OK")


def test_a_billion_tasks_with_nothing_done_are_one_range():
    tracemalloc.start()
    found = fold(10**9, [], space="x")
    assert found.missing() == [(0, 10**9)]
    assert found.counts["MISSING"] == 10**9
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@given(st.sets(st.integers(0, 200)))
def test_ranges_hold_just_their_indices(indices):
    ranges = to_ranges(sorted(indices))
    assert {i for a, b in ranges for i in range(a, b)} == indices
    assert all(b < a for (_, b), (a, _) in pairwise(ranges)), "ranges never touch"


def test_a_grown_space_keeps_what_was_done(tmp_path: Path):
    old = space_of({"n": [10, 20], "m": ["a", "b"]}, replicates=2)
    new = space_of({"m": ["c", "b", "a"], "n": [5, 20, 10.0]}, replicates=3)
    write_journal(tmp_path, old, [ok(i, i / 7) for i in range(old.size)])
    found = folded(tmp_path, new, carry={old.digest: map_indices(old, new)})
    assert found.counts["OK"] == old.size
    for i in range(old.size):
        (a, b) = next(
            r for r in found.ranges("OK") if r[0] <= new.lookup().find(old[i], old.replicate(i)) < r[1]
        )
        assert a < b
    for index in range(new.size):
        if found.state(index) == "OK":
            assert new.key(index) == old.key(found.record(index)[1].index)
    assert folded(tmp_path, new).foreign == old.size, "an unknown space gives no word"


def test_a_retry_of_an_older_space_is_carried_too(tmp_path):
    old, new = space_of({"n": [1, 2]}, replicates=1), space_of({"n": [0, 1, 2]}, replicates=1)
    write_journal(tmp_path, old, [failed(0), failed(1)], wave=1)
    carry = {old.digest: map_indices(old, new)}
    found = folded(tmp_path, new, carry=carry, retries=[Retry(2, old.digest, [(0, 1)])])
    assert [found.state(i) for i in range(3)] == ["MISSING", "MISSING", "FAILED"]


factor_names = st.lists(st.sampled_from("abcd"), unique=True, min_size=1, max_size=3)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_carrying_is_looking_up_by_key(data):
    def draw_space():
        names = data.draw(factor_names)
        levels = st.lists(st.integers(0, 4), unique=True, min_size=1, max_size=4)
        return space_of({name: data.draw(levels) for name in names}, replicates=data.draw(st.integers(1, 3)))

    old, new = draw_space(), draw_space()
    defaults = dict.fromkeys(data.draw(st.sets(st.sampled_from("abcd"))), 2)
    carried = map_indices(old, new, defaults)
    known = {name: value for name, value in defaults.items() if name in new.names}
    lookup = new.lookup()
    for index in range(old.size):
        assert carried(index) == lookup.find({**known, **old[index]}, old.replicate(index))


def test_regrouped_factors_are_carried_by_look_up():
    old = space_of({"a": [1, 2], "b": ["x", "y"]}, replicates=2)
    new = space_of({"b,a": [["y", 1], ["x", 1], ["x", 3]]}, replicates=2)
    carried = map_indices(old, new)
    pairs = {old.key(i): carried(i) for i in range(old.size)}
    assert sum(to is not None for to in pairs.values()) == 4
    assert all(new.key(to) == key for key, to in pairs.items() if to is not None)


def test_ranges_of_levels_are_carried_without_listing_them():
    frozen = dict(space_of({}, replicates=1).frozen)
    old, new = (
        type(SPACE)({**frozen, "factors": [{"names": ["i"], "range": [start, 1, 10**9]}]}) for start in (0, 5)
    )
    carried = map_indices(old, new)
    rng = random.Random(1)
    for index in [0, 4, 5, 10**9 - 1, *(rng.randrange(10**9) for _ in range(50))]:
        assert carried(index) == (index - 5 if index >= 5 else None)
