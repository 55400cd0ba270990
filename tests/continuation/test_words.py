"""The continuation comes to the same word on each task as the package, whatever the journals are like."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhorse.results.fold import Retry, fold
from packhorse.results.journal import read_journals
from packhorse.worker.waves.outcomes import OUTCOMES, Journal, Outcomes, Overruled, journal_paths
from results.journals import header_of, space_of, write_journal

SPACE = space_of()  # twelve tasks
OTHER = space_of({"n": [1, 2]})
RESULTS: list[dict[str, Any]] = [
    {},
    {"json": {"outcome": "FAILED", "attempt": 3}},
    {"text": '"outcome":"FAILED"'},
    {"json": [float("nan"), 2**70, -0.0]},
    {"text": "\ud800"},
    {"data": b"packed"},
]
RECORD = st.fixed_dictionaries(
    {"index": st.integers(-1, SPACE.size), "result": st.sampled_from(RESULTS)},
    optional={
        "outcome": st.sampled_from(["OK", "FAILED", "TIMEOUT", "MEMORY", "UNFINISHED", "ELSE"]),
        "attempt": st.integers(1, 3),
    },
)
JOURNAL = st.fixed_dictionaries(
    {
        "records": st.lists(RECORD, max_size=10),
        "wave": st.integers(1, 3),
        "element": st.integers(0, 1),
        "restart": st.integers(0, 1),
        "space": st.sampled_from([SPACE, SPACE, SPACE, OTHER]),
        "damage": st.lists(
            st.tuples(st.sampled_from(["tear", "flip", "cut", "pack"]), st.integers(0, 10**6)), max_size=2
        ),
    }
)
PART = st.lists(
    st.tuples(st.integers(0, 11), st.integers(1, 6)).map(lambda one: (one[0], min(12, sum(one)))), max_size=3
)


def damage(path: Path, kind: str, number: int) -> None:
    data = path.read_bytes()
    at = number % (len(data) + 1)
    if kind == "tear":
        data = data[:at]
    elif kind == "flip" and at < len(data):
        data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    elif kind == "cut":
        rows = data.splitlines(keepends=True)
        del rows[number % (len(rows) + 1) :][:1]
        data = b"".join(rows)
    pack = path.with_suffix(".pack")
    if kind == "pack" and pack.exists():
        pack.write_bytes(pack.read_bytes()[: number % 12])
    path.write_bytes(data)


@given(st.lists(JOURNAL, max_size=5), PART, PART, PART)
@settings(max_examples=300, deadline=None)
def test_the_same_word_on_each_task(
    tmp_path_factory: pytest.TempPathFactory,
    journals: list[dict[str, Any]],
    retried: list[tuple[int, int]],
    unreadable: list[tuple[int, int]],
    chosen: list[tuple[int, int]],
) -> None:
    directory = tmp_path_factory.mktemp("run")
    (directory / "journal").mkdir()
    for number, said in enumerate(journals):
        records = [
            {**{k: v for k, v in one.items() if k != "result"}, **one["result"]} for one in said["records"]
        ]
        where = {part: said[part] for part in ("wave", "element", "restart")}
        name = f"{said['wave']}-{said['element']}-{said['restart']}-h-1-{number}"
        path = write_journal(directory, said["space"], records, name=name, **where)
        for kind, place in said["damage"]:
            damage(path, kind, place)
    unreadable = [(a, b) for a, b in unreadable if retried]
    expected = fold(
        SPACE.size,
        read_journals(directory),
        space=SPACE.digest,
        retries=[Retry(2, SPACE.digest, sorted(joined(retried)), sorted(joined(unreadable)))],
    )
    plan = {"kind": "retry", "wave": 2, "ranges": retried, "probe": [], "unreadable": unreadable}
    ranges = joined(chosen) or [(0, SPACE.size)]
    words = folded(directory, ranges, [plan])
    tasks = [index for a, b in ranges for index in range(a, b)]
    found = {word: {i for a, b in words.with_outcome(word) for i in range(a, b)} for word in OUTCOMES}
    assert {i: word for word in OUTCOMES for i in found[word]} == {i: expected.state(i) for i in tasks}
    assert words.counts() == {word: len(found[word]) for word in OUTCOMES}
    half = [(a, b) for a, b in ranges if a % 2]
    outside = [i for i in tasks if not any(a <= i < b for a, b in half)]
    assert words.counts_without(half) == {
        word: sum(expected.state(i) == word for i in outside) for word in OUTCOMES
    }
    assert set(words.unfinished) == found["UNFINISHED"]


def joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    from packhorse.plan.waves import joined

    return joined(ranges)


def folded(directory: Path, ranges: Any, plans: list[dict[str, Any]]) -> Outcomes:
    words, overruled = Outcomes(ranges), Overruled(plans)
    for journal in sorted(map(Journal, journal_paths(directory / "journal")), key=Journal.order):
        if journal.header and journal.header["space"] == SPACE.digest:
            words.fold(journal, overruled)
    return words


def test_a_million_tasks_cost_a_few_bytes_each(tmp_path: Path) -> None:
    import tracemalloc

    from packhorse.worker.journal import journal_line

    space = space_of({"n": list(range(1000))}, replicates=1000)
    folder = tmp_path / "journal"
    folder.mkdir()
    order = list(range(space.size))
    random.Random(1).shuffle(order)
    part = order[: space.size // 20]
    rows = [journal_line({"header": header_of(space, "1-0-0-h-1-ab")})]
    rows += [journal_line({"index": i, "seed": 2**62, "begin": 1.5, "json": {"y": 0.1}}) for i in part]
    (folder / "1-0-0-h-1-ab.ndjson").write_bytes(b"".join(rows))
    tracemalloc.start()
    words = Outcomes([[0, space.size]])
    (path,) = journal_paths(folder)
    words.fold(Journal(path), Overruled([]))
    missing = words.with_outcome("MISSING")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert words.counts()["OK"] == len(part)
    assert sum(b - a for a, b in missing) == space.size - len(part)
    assert peak < 40_000_000
