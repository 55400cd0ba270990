"""packhorse pilot, through the installed command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from packhorse.model.space import ParameterSpace
from packhorse.plan.pilot_tasks import pilot_tasks
from packhorse.project.source import from_mapping

Run = Callable[..., CompletedProcess[str]]
SCRIPT = """
import json, sys, time
n, method = int(sys.argv[1]), sys.argv[2]
if method == "broken":
    sys.exit("no such method")
time.sleep(n / 1000)
print(json.dumps({"n": n}))
"""
STUDY = """\
# my study
name: waits
command: python sim.py {n} {method}
parameters:
  n: [50, 100, 200, 400]
  method: [a, b]
replicates: 1000
resources:
  cpus: 1  # of each task
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sim.py").write_text(SCRIPT)
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def test_a_pilot_proposes_and_writes(folder: Path, packhorse: Run) -> None:
    first = packhorse("pilot", "--tasks", "12", "--json")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert (report["format"], report["tasks"], report["measured"]) == ("packhorse-pilot/1", 8000, 12)
    # The mean sleep is 0.1875 s, and a start comes on top. The law is fitted to twelve times, of a machine with other work.
    assert report["seconds"] >= 8000 * 0.1875 * 0.7
    assert report["proposed"]["time"] >= 60
    assert (folder / "study.yaml").read_text() == STUDY

    written = packhorse("pilot", "--tasks", "12", "--write")
    assert "+  memory: " in written.stdout, written.stdout + written.stderr
    assert "next: packhorse plan study.yaml" in written.stdout
    text = (folder / "study.yaml").read_text()
    assert text.startswith(STUDY)
    assert "\n  time: " in text
    runs = json.loads(packhorse("status", "waits-pilot", "--json").stdout)
    assert runs["counts"]["OK"] == 12  # the second call ran no task again

    assert "8,000 tasks take" in packhorse("plan").stdout
    (folder / "sim.py").write_text(SCRIPT + "# faster\n")
    assert "is stale: code changed; packhorse pilot study.yaml" in packhorse("plan").stdout


def test_a_pilot_is_not_the_run_that_a_command_means(folder: Path, packhorse: Run) -> None:
    packhorse("map", "true {i}", "i=1", "--name", "other")
    assert packhorse("pilot", "--tasks", "2").returncode == 0
    assert packhorse("status").stdout.startswith("other: done")
    assert packhorse("status", "waits-pilot").stdout.startswith("waits: ")
    packhorse("rm", "other", "--yes")
    assert packhorse("status").stdout.startswith("waits: ")  # where there is no other


def test_failed_tasks_are_said(folder: Path, packhorse: Run) -> None:
    (folder / "study.yaml").write_text(STUDY.replace("[a, b]", "[a, broken]"))
    done = packhorse("pilot", "--tasks", "10")
    assert "without a result" in done.stdout, done.stdout + done.stderr
    assert "no power law fits: method" in done.stdout
    assert "a rough estimate" in done.stdout
    (folder / "study.yaml").write_text(STUDY.replace("[a, b]", "broken").replace("waits", "none"))
    none = packhorse("pilot", "--tasks", "2")
    assert none.returncode != 0
    assert "no task of the pilot ended OK" in none.stderr
    assert "packhorse logs none-pilot" in none.stderr


def test_corners_and_centre_come_first(tmp_path: Path) -> None:
    parameters = {"n": [10, 1, 100], "x": {"range": [1, 10**9 + 1]}, "method": ["a", "b"]}
    source = from_mapping(
        {"command": "python sim.py {n} {x} {method}", "parameters": parameters, "replicates": 5}, tmp_path
    )
    space = ParameterSpace.of(source.study)
    few = [tuple(space[index].values()) for index in pilot_tasks(space, 3)]
    assert sorted(few) == [(1, 1, "a"), (10, 500_000_001, "b"), (100, 10**9, "b")]
    many = pilot_tasks(space, 40)
    assert len(set(many)) == 40
    found = {(space[index]["n"], space[index]["x"]) for index in many}
    assert {(n, x) for n in (1, 100) for x in (1, 10**9)} <= found


def test_scaling_with_cores(tmp_path: Path, packhorse: Run) -> None:
    script = (
        "import os, time; time.sleep(0.1 + 0.5 / int(os.environ['OMP_NUM_THREADS'])); print('{\"x\": 1}')"
    )
    (tmp_path / "sim.py").write_text(script)
    (tmp_path / "study.yaml").write_text("name: threads\ncommand: python sim.py\n")
    done = packhorse("pilot", "--scaling", "--json")
    report = json.loads(done.stdout)
    assert report["format"] == "packhorse-scaling/1", done.stderr
    alone, two = (min(one["seconds"]) for one in report["times"][:2])
    assert alone >= 0.6
    assert alone > two >= 0.35
    assert report["undecided"] or report["low"] <= 0.4
