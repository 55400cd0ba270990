"""A login node runs a minute of one core's work and no more. Its host name is given to this process's own namespace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKHORSE = str(Path(sys.executable).with_name("packhorse"))
STUDY = """
name: sleeper
command: sleep 0.05
result: none
parameters: {{i: {{range: [0, {tasks}]}}}}
resources: {{expected: {expected}}}
"""


@pytest.fixture
def on_login_node(tmp_path: Path):
    """Return what runs packhorse on a machine that has the name of testbed's login node."""
    if subprocess.run(["unshare", "--uts", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no right to a host name of one's own (unshare --uts)")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        line = 'hostname testbed-login && exec "$0" "$@"'
        argv = ["unshare", "--uts", "sh", "-c", line, PACKHORSE, *words]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_more_than_a_minute_is_refused_and_the_cluster_offered(tmp_path: Path, on_login_node) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.format(tasks=2000, expected="50 ms"))
    said = on_login_node("run", "study.yaml")
    assert said.returncode == 5
    assert "login node of testbed" in said.stderr
    assert "takes about 1 min 40 s of one core" in said.stderr
    assert "packhorse run study.yaml --site testbed" in said.stderr
    assert not list((tmp_path / "runs/sleeper/waves").glob("*/plan.json"))


def test_less_than_a_minute_runs_on_one_core(tmp_path: Path, on_login_node) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.format(tasks=40, expected="50 ms"))
    said = on_login_node("run", "study.yaml")
    assert said.returncode == 0, said.stderr
    (journal,) = (tmp_path / "runs/sleeper/journal").glob("*.ndjson")
    assert '"slots":1' in journal.read_text().splitlines()[0]


def test_who_insists_runs_it_here(tmp_path: Path, on_login_node) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.format(tasks=40, expected="10 s"))
    assert on_login_node("run", "study.yaml").returncode == 5
    said = on_login_node("run", "study.yaml", "--site", "local")
    assert said.returncode == 0, said.stderr


def test_another_machine_is_no_login_node(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.format(tasks=4, expected="10 min"))
    said = subprocess.run(
        [PACKHORSE, "run", "study.yaml"], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
