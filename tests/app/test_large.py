"""A billion points are a number, not a list."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

GRID = """\
name: grid
command: [/bin/true]
parameters:
  a: {range: [0, 1000000]}
  b: {linspace: [0, 1, 1000]}
result: none
"""
POINT = GRID.replace("a: {range: [0, 1000000]}", "a: 1").replace("[0, 1, 1000]", "[0, 1, 2]")


def seconds_and_memory(argv: list[str], folder: Path) -> tuple[float, int, str]:
    """Return a command's CPU seconds, its peak memory in KiB, and what it printed."""
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss, said


def test_planning_a_billion_points_takes_no_time_and_no_memory(tmp_path: Path) -> None:
    command = str(Path(sys.executable).with_name("packhorse"))
    found = []
    for text in (POINT, POINT, GRID):  # the first fills the caches
        (tmp_path / "study.yaml").write_text(text)
        found.append(seconds_and_memory([command, "plan", "--json"], tmp_path))
    (_, _, _), (seconds, memory, _), (large_seconds, large_memory, said) = found
    assert json.loads(said)["tasks"] == 10**9
    assert large_seconds - seconds < 1
    assert large_memory - memory < 20_000


def test_running_a_billion_points_starts_and_stops_as_any_run(tmp_path: Path, packhorse: Command) -> None:
    (tmp_path / "study.yaml").write_text(GRID)
    command = str(Path(sys.executable).with_name("packhorse"))
    process = subprocess.Popen([command, "run"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    give_up = time.monotonic() + 60
    journal = tmp_path / "runs/grid/journal"
    while not any(one.read_bytes().count(b'"index"') > 20 for one in journal.glob("*.ndjson")):
        assert process.poll() is None
        assert time.monotonic() < give_up
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert " of 1,000,000,000 tasks done" in said
    assert process.returncode == 130
    status = json.loads(packhorse("status", "--json").stdout)
    assert status["tasks"] == 10**9
    assert status["missing"] == 10**9 - status["done"]
    assert status["done"] > 20
    assert (tmp_path / "runs/grid/waves/1/plan.json").stat().st_size < 2000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 500_000


@pytest.mark.parametrize("where", [["a=999999"], ["b=1.0", "a=999999"]])
def test_a_task_far_away_is_found_without_looking_at_all_before(
    where: list[str], tmp_path: Path, packhorse: Command
) -> None:
    (tmp_path / "study.yaml").write_text(GRID.replace("/bin/true", "echo, '{a}', '{b}'"))
    conditions = [word for one in where for word in ("--where", one)]
    said = json.loads(packhorse("plan", *conditions, "--json", timeout=20).stdout)
    assert said["examples"][0][0] // 1000 == 999_999
