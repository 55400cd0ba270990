"""What travels runs on the oldest Python, and computes there what is computed here."""

from __future__ import annotations

import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest

from packhorse.rundir.worker_archive import worker_archive
from packhorse.worker.space import Space
from running.project import Project, bits
from worker.old import oldest_python

SPACE: dict[str, Any] = {
    "format": "packhorse-space", "version": 1, "seed": 2**63 + 5, "seeding": "independent", "replicates": 3,
    "factors": [
        {"names": ["a"], "levels": [[1], [1.5], [-0.0], [1e300], [2**70], ["λ\n\"'"], [True], [None], [[1, [2.5]]]]},
        {"names": ["b", "c"], "levels": [["x", 1], ["", -7], ["nan", 0.1]]},
        {"names": ["i"], "range": [10, -3, 4]},
        {"names": ["chunk", "start", "stop"], "chunks": [17, 5, 4]},
        {"names": ["boot"], "range": [0, 1, 2], "resample": True},
    ],
}  # fmt: skip
# Warnings are errors elsewhere; this one is only to be read.
pytestmark = pytest.mark.filterwarnings("default::UserWarning")
TELL = """
import json, sys
from packhorse.worker.space import Space
space = Space(json.loads(sys.stdin.read()))
found = []
for index in range(0, space.size, 7):
    found.append([index, space.parameters(index), space.key(index), list(space.seeds(index))])
print(json.dumps(found, sort_keys=True))
"""


@pytest.fixture(scope="module")
def python() -> str:
    found, version = oldest_python()
    if version > (3, 6):
        warnings.warn(
            OlderWanted(f"no Python 3.6 here; the oldest is {version[0]}.{version[1]}: {found}"), stacklevel=1
        )
    return found


class OlderWanted(UserWarning):
    """Says which Python stood in for 3.6, in the summary of the tests."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "worker.pyz"
    path.write_bytes(worker_archive())
    return path


@pytest.mark.parametrize("seeding", ["independent", "common"])
def test_spaces_have_the_same_parameters_keys_and_seeds(python: str, archive: Path, seeding: str) -> None:
    said = {**SPACE, "seeding": seeding}
    told = subprocess.run(
        [python, "-c", TELL],
        input=json.dumps(said),
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(archive)},
    )
    space = Space(said)
    here = [
        [index, space.parameters(index), space.key(index), list(space.seeds(index))]
        for index in range(0, space.size, 7)
    ]
    assert len(here) > 100
    assert told.stdout == json.dumps(here, sort_keys=True) + "\n"


@pytest.mark.parametrize("kind", ["command", "function"])
def test_the_whole_worker_gives_the_same_table(tmp_path: Path, python: str, archive: Path, kind: str) -> None:
    project = Project(tmp_path / "project")
    project.write(
        sim_py="import json, random, sys\nprint(json.dumps({'x': random.Random(int(sys.argv[2])).random(), 'n2': int(sys.argv[1])}))\n",
        model_py="import random\ndef f(n, seed):\n    return {'x': random.Random(seed).random(), 'n2': n, 'd': [random.random()]}\n",
    )
    work = {"command": f"{python} sim.py {{n}} {{seed}}"} if kind == "command" else {"function": "model:f"}
    project.study(**work, parameters={"n": {"range": [30]}}, environment={"python": python})
    project.run("-j2")
    here = bits(project.table())
    folder = project.directory
    for path in [*folder.glob("journal/*"), *folder.glob("waves/1/leases/*")]:
        path.unlink()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [
            python,
            folder / "worker.pyz",
            "work",
            folder / "waves/1/work.json",
            "--slots",
            "2",
            "--scratch",
            scratch,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    project.command("collect", "s")
    assert bits(project.table()) == here
    assert list(scratch.iterdir()) == []
