"""Leases: several workers race for positions, none is worked twice and none is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.worker import lease as module
from packhorse.worker.lease import Leases, Positions
from worker.old import oldest_python

RACER = """
import random, sys
from packhorse.worker.lease import Leases
folder, total, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sys.stdin.read()  # all start at once
leases = Leases(folder, total, token)
sizes = random.Random(token)
while True:
    claimed = leases.claim(sizes.randrange(1, 9))
    if claimed is None:
        break
    print(*claimed)
"""


def test_racing_workers_share_all_positions_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from packhorse.run.archive import worker_archive

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
    at = 0
    for start, stop in sorted(claimed):
        assert start == at
        at = stop
    assert at == 1000
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"{k:06d}.json" for k in range(len(claimed))], "no gap, and nothing private left"


def test_a_link_whose_answer_was_lost_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = module.os.link

    def lost(source: str, target: str) -> None:
        link(source, target)
        raise FileExistsError(target)  # what NFS says to the second try of a link that had happened

    leases = Leases(str(tmp_path), 10, "ours")
    monkeypatch.setattr(module.os, "link", lost)
    assert leases.claim(4) == (0, 4)
    monkeypatch.undo()
    assert leases.claim(4) == (4, 8)
    other = Leases(str(tmp_path), 10, "theirs")
    assert other.claim(4) == (8, 10)
    assert leases.claim(1) is None
    assert json.loads((tmp_path / "000000.json").read_text()) == {"start": 0, "stop": 4, "by": "ours"}


def test_a_lost_race_takes_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = Leases(str(tmp_path), 10, "ours"), Leases(str(tmp_path), 10, "theirs")
    link = module.os.link

    def first(source: str, target: str) -> None:
        monkeypatch.setattr(module.os, "link", link)
        assert theirs.claim(3) == (0, 3)
        link(source, target)

    monkeypatch.setattr(module.os, "link", first)
    assert ours.claim(3) == (3, 6)


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
