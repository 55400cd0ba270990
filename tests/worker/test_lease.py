"""Leases: several workers race for positions, none is worked twice and none is lost."""

from __future__ import annotations

import heapq
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.worker import leases as module
from packhorse.worker.leases import Leases, Positions
from worker.old import oldest_python

RACER = """
import random, sys
from packhorse.worker.leases import Leases
from packhorse.worker.ranges import without
folder, total, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sys.stdin.read()  # all start at once
leases = Leases(folder, total, token)
sizes = random.Random(token)
while True:
    claimed = leases.claim(sizes.randrange(1, 9))
    if not claimed:
        break
    if sizes.random() < 0.3:  # its deadline came: what it did not begin is somebody else's
        kept = [[a, a + 1] for a, b in claimed]
        leases.give_back(without(claimed, kept))
        claimed = kept
    for a, b in claimed:
        print(a, b)
"""


def test_racing_workers_share_all_positions_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from packhorse.rundir.worker_archive import worker_archive

    archive = tmp_path / "worker.pyz"
    archive.write_bytes(worker_archive())
    folder = tmp_path / "leases"
    folder.mkdir()
    pythons = [sys.executable, oldest_python()[0]] * 3
    racers = [
        subprocess.Popen(
            [python, "-c", RACER, folder, "1000", f"token-{k}"],
            env={"PYTHONPATH": str(archive)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for k, python in enumerate(pythons)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
    claimed = []
    for racer in racers:
        assert racer.stdout is not None
        with racer.stdout as stream:
            claimed.extend(tuple(map(int, row.split())) for row in stream)
        assert racer.wait(60) == 0
    # What the last ones gave back after all others had gone is nobody's: the next wave takes it.
    leases = Leases(str(folder), 1000, "later")
    leases.refresh()
    claimed.extend((a, b) for pairs in leases.returned.values() for a, b in pairs)
    at = 0
    for start, stop in sorted(claimed):
        assert start == at, "worked twice or by nobody"
        at = stop
    assert at == 1000
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"{k:06d}.json" for k in range(len(names))], "no gap, and nothing private left"


def test_a_link_whose_answer_was_lost_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = module.os.link

    def lost(source: str, target: str) -> None:
        link(source, target)
        raise FileExistsError(target)  # what NFS says to the second try of a link that had happened

    leases = Leases(str(tmp_path), 10, "ours")
    monkeypatch.setattr(module.os, "link", lost)
    assert leases.claim(4) == [[0, 4]]
    monkeypatch.undo()
    assert leases.claim(4) == [[4, 8]]
    other = Leases(str(tmp_path), 10, "theirs")
    assert other.claim(4) == [[8, 10]]
    assert leases.claim(1) == []
    assert json.loads((tmp_path / "000000.json").read_text()) == {"start": 0, "stop": 4, "by": "ours"}


def test_a_lost_race_takes_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = Leases(str(tmp_path), 10, "ours"), Leases(str(tmp_path), 10, "theirs")
    link = module.os.link

    def first(source: str, target: str) -> None:
        monkeypatch.setattr(module.os, "link", link)
        assert theirs.claim(3) == [[0, 3]]
        link(source, target)

    monkeypatch.setattr(module.os, "link", first)
    assert ours.claim(3) == [[3, 6]]


def test_what_is_given_back_is_taken_once_and_whole(tmp_path: Path) -> None:
    ended, working, late = (Leases(str(tmp_path), 10, name) for name in ("1-0-a", "1-1-b", "1-2-c"))
    assert ended.claim(8) == [[0, 8]]
    ended.give_back([[6, 8], [2, 4]])
    assert working.claim(5) == [[8, 10]], "what nobody had comes first"
    assert working.claim(1) == [[2, 4], [6, 8]]
    assert late.claim(5) == []
    assert late.remaining() == 0
    said = json.loads((tmp_path / "000001.json").read_text())
    assert said == {"start": 8, "stop": 8, "back": [[2, 4], [6, 8]], "by": "1-0-a"}
    said = json.loads((tmp_path / "000003.json").read_text())
    assert said == {"start": 10, "stop": 10, "took": 1, "by": "1-1-b"}


def test_an_element_started_again_knows_what_its_earlier_starts_hold(tmp_path: Path) -> None:
    first, other = Leases(str(tmp_path), 30, "7-1-0-h-1-aa"), Leases(str(tmp_path), 30, "7-11-0-h-2-bb")
    assert first.claim(10) == [[0, 10]]
    assert other.claim(10) == [[10, 20]]
    other.give_back([[12, 14]])
    assert first.claim(10) == [[20, 30]]
    assert first.claim(10) == [[12, 14]]
    first.give_back([[13, 14], [25, 30]])
    second = Leases(str(tmp_path), 30, "7-1-1-h-3-cc")
    second.refresh()
    assert second.earlier == [[0, 10], [12, 13], [20, 25]]
    assert second.starts == {"7-1-0-h-1-aa"}
    third = Leases(str(tmp_path), 30, "7-1-0-h-9-dd")
    assert third.claim(1) == [[13, 14], [25, 30]]


def test_the_first_array_owns_a_wave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.wave_owner(str(tmp_path), "41", "1-0-0-h-1-aa") == "41"
    assert module.wave_owner(str(tmp_path), "41", "1-1-0-h-2-bb") == "41"
    assert module.wave_owner(str(tmp_path), "42", "1-0-0-h-3-cc") == "41"
    assert [path.name for path in tmp_path.iterdir()] == ["owner"]


@given(
    st.integers(1, 40),
    st.integers(1, 200_000),
    st.integers(1, 16),
    st.floats(600, 86400),
    st.floats(1e-4, 1e4),
    st.randoms(use_true_random=False),
)
def test_a_worker_makes_few_leases(
    elements: int, total: int, slots: int, seconds: float, mean: float, random: random.Random
) -> None:
    """Simulates workers of unlike speed, each taking as long for a lease as its tasks take."""
    speeds = [random.uniform(0.5, 1.5) for _ in range(elements)]
    ready = [(0.0, element) for element in range(elements)]
    left, leases, largest = total, [0] * elements, 0
    while left and ready:
        now, element = heapq.heappop(ready)
        pace = mean / speeds[element]
        fitting = min(max(module.LEASE_SECONDS, seconds / 10), seconds - now) * slots / pace
        size = min(left, module.lease_size(left, total, elements, fitting) if leases[element] else slots)
        leases[element] += 1
        left -= size
        largest = max(largest, size)
        if now + size * pace / slots < seconds:
            heapq.heappush(ready, (now + size * pace / slots, element))
    per_slot = total * mean / slots / elements
    if elements > 1 and per_slot <= seconds:
        assert sum(leases) <= 15 * elements, "seven where tasks are short and many"
    assert max(leases) <= 25


RANGES = st.lists(st.integers(1, 6), max_size=6).map(
    lambda sizes: [[10 * k + 100, 10 * k + 100 + size] for k, size in enumerate(sizes)]
)


@given(st.lists(st.integers(0, 99), unique=True, max_size=8), RANGES, st.data())
def test_positions_are_the_probe_then_the_ranges(
    probe: list[int], ranges: list[list[int]], data: st.DataObject
) -> None:
    every = probe + [index for a, b in ranges for index in range(a, b)]
    positions = Positions(probe, ranges)
    assert positions.total == len(every)
    start = data.draw(st.integers(0, len(every)))
    stop = data.draw(st.integers(start, len(every)))
    found = [index for a, b in positions.indices(start, stop) for index in range(a, b)]
    assert found == every[start:stop]
    # Only where the probe is no part of the ranges, as in a plan, has an index one position.
    if not set(probe) & set(range(100, 200)):
        places = positions.positions_of(positions.indices(start, stop))
        assert [p for a, b in places for p in range(a, b)] == list(range(start, stop))
