"""The laptop's command killed at any of its questions: the same command again ends in the whole table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from remote.laptop import Laptop
from remote.test_run import project, table

HERE = Path(__file__).parent


@pytest.fixture
def connected(laptop: Laptop) -> Laptop:
    code, shown = laptop.connect("key")
    assert code == 0, shown
    return laptop


def killed(laptop: Laptop, place: Path, when: str, number: int) -> list[str]:
    """Run the study in a folder and kill the command; return the questions that it asked."""
    notes = laptop.home / "questions"
    notes.unlink(missing_ok=True)
    env = {name: value for name, value in {**os.environ, **laptop.environment}.items() if value is not None}
    argv = [
        sys.executable,
        HERE / "killing.py",
        when,
        str(number),
        notes,
        "run",
        "study.yaml",
        "--site",
        "key",
        "--detach",
    ]
    done = subprocess.run(argv, cwd=place, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == (-9 if number else 0), done
    return notes.read_text().splitlines()


def finished(place: Path) -> list[int]:
    """Return the tasks of all results in the journals; those that were computed twice two times."""
    found = []
    for path in (place / "runs/study/journal").glob("*.ndjson"):
        said = (json.loads(line) for line in path.read_text().splitlines())
        found += [line["index"] for line in said if "index" in line]
    return sorted(found)


STEPS = (
    ("put", 1, "sent"),  # in the middle of what is sent first
    ("claim", 1, "sent"),  # a wave is claimed there, and not planned
    ("begun", 2, "before"),  # it is planned here, and its intent is there
    ("put", 3, "before"),  # its plan is half there
    ("run sbatch", 1, "before"),  # between intent and submission
    ("run sbatch", 1, "sent"),  # it is submitted, and the answer is lost
    ("put", 5, "before"),  # the fact is not written
    ("run sbatch", 2, "sent"),  # what follows is submitted, and the answer is lost
)


@pytest.fixture(scope="module")
def questions() -> list[str]:
    """Return what a whole command asks, once somebody has counted."""
    return []


@pytest.mark.parametrize(("what", "time", "when"), STEPS)
def test_the_same_command_again_ends_in_the_whole_table(
    connected: Laptop, questions: list[str], what: str, time: int, when: str
) -> None:
    if not questions:
        questions += killed(connected, project(connected.home / "whole"), "before", 0)
    numbers = [int(line.split()[0]) for line in questions if line.partition(" ")[2].strip() == what]
    place = project(connected.home / "study")
    killed(connected, place, when, numbers[time - 1])
    done = connected.run("run", "study.yaml", "--site", "key", cwd=place)
    assert done.returncode == 0, done
    assert "10 of 10 tasks done" in done.stdout
    assert len(table(place)) == 10
    assert finished(place) == list(range(10)), "each task ran once"
    assert connected.gate.logins() == [connected.gate.users["key"]]
