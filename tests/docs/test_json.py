"""What commands print with --json fits their schemas; the fixture `packhorse` checks it here and in every other test."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """\
import json, sys
n = int(sys.argv[1])
if n == 3:
    sys.exit("no three")
print(json.dumps({"x": n / 2, "worst": float("nan")}))
"""
MAP = (
    "map",
    "python sim.py {n}",
    "n=1,2,3",
    "--replicates",
    "2",
    "--name",
    "small",
    "--save",
    "study.yaml",
    "--json",
)

# Each command that needs no site, and the name of what it prints.
LINES = [
    ("run study.yaml --json", "packhorse-run/1"),
    ("plan study.yaml --json", "packhorse-plan/1"),
    ("plan study.yaml --run other --site testbed --json", "packhorse-plan/1"),
    ("status --json", "packhorse-status/1"),
    ("status --where n=3 --json", "packhorse-status/1"),
    ("runs --json", "packhorse-runs/1"),
    ("logs --json", "packhorse-logs/1"),
    ("explain --task 0 --json", "packhorse-explain/1"),
    ("explain --task 5 --json", "packhorse-explain/1"),
    ("collect --json", "packhorse-collect/1"),
    ("summary --json", "packhorse-summary/1"),
    ("efficiency --json", "packhorse-efficiency/1"),
    ("retry --json", "packhorse-run/1"),
    ("rerun --sample 2 --json", "packhorse-rerun/1"),
    ("provenance --json", "packhorse-provenance"),
    ("script true --site testbed --json", "packhorse-script/1"),
    ("script true --site testbed --array 1-8 --after ok:7 --output job.sh --json", "packhorse-script/1"),
    ("jobs --json", "packhorse-jobs/1"),
    ("sites --json", "packhorse-sites/1"),
    ("sites show quartz --json", "packhorse-site/1"),
    ("sites show carbonate --json", "packhorse-site/1"),
    ("sites choose --gpus 1 --json", "packhorse-sites-choose/1"),
    ("sites choose study.yaml --json", "packhorse-sites-choose/1"),
    ("connect quartz --check --json", "packhorse-connect/1"),
    ("connect quartz --close --json", "packhorse-disconnect/1"),
    ("du --json", "packhorse-du/1"),
    ("doctor --json", "packhorse-doctor/1"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for a script and its study."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "sim.py").write_text(SCRIPT)
    return folder


def test_every_object_names_its_format_and_fits_its_schema(packhorse: Any, project: Path) -> None:
    assert json.loads(packhorse(*MAP, cwd=project).stdout)["failed"] == 2
    env = {"PACKHORSE_SITE": None}
    for line, name in LINES:
        done = packhorse(*shlex.split(line), cwd=project, env=env)
        assert done.stdout.startswith("{"), f"{line}: {done.stderr}"
        assert json.loads(done.stdout)["format"] == name, line


def test_a_folder_without_runs_has_a_format_too(packhorse: Any) -> None:
    assert json.loads(packhorse("status", "--json").stdout) == {"format": "packhorse-no-runs/1", "runs": 0}


def test_a_run_that_cannot_be_read_is_listed(packhorse: Any, project: Path, tmp_path: Path) -> None:
    broken = tmp_path / "runs" / "broken"
    broken.mkdir(parents=True)
    (broken / "run.json").write_text('{"format": "packhorse-run", "version": 99}')
    (found,) = json.loads(packhorse("runs", "--json").stdout)["runs"]
    assert (found["format"], found["state"]) == ("packhorse-unreadable-run/1", "unreadable")
