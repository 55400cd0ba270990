"""What make test says at its end: one count and one list over all its sessions, and no silence about what did not run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = """
[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = ["--import-mode=importlib", "-p", "xdist", "-m", "not campaign"]
markers = ["cluster", "campaign", "alone"]
"""
# One file a session. Each has a test that passes, so that no session is empty.
FILES = {
    "cluster/test_slurm.py": """
        pytestmark = pytest.mark.cluster
        def test_array(): pass
        def test_needs_a_gpu(): pytest.skip("there is no GPU")
        """,
    "remote/test_login.py": """
        pytestmark = pytest.mark.cluster
        def test_has_a_cluster_of_its_own():
            assert os.environ["PACKHORSE_CLUSTER"].endswith("-2")
            assert os.environ["PACKHORSE_CLUSTER_USERS"] == "alice2 bob2"
        """,
    "house/test_words.py": """
        @pytest.mark.parametrize("number", [1, 2, 3])
        def test_number(number): open("begun", "w").close()
        @pytest.mark.skip(reason="R is not installed")
        def test_r(): pass
        @pytest.mark.campaign
        @pytest.mark.parametrize("seed", [1, 2])
        def test_for_hours(seed): pass
        """,
    "house/test_times.py": """
        pytestmark = pytest.mark.alone
        def test_start(): pass
        """,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project with one small file of tests for each session."""
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    for name, text in FILES.items():
        write(tmp_path, name, text)
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    path = folder / "tests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [line.removeprefix(" " * 8) for line in text.strip("\n").splitlines()]
    path.write_text("\n".join(["import os, signal, pytest", *lines, ""]))


def start(folder: Path) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # others take longer to start than these tests to run
    argv = [sys.executable, ROOT / "scripts/test", "2", folder]
    return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(folder: Path) -> tuple[int, str]:
    """Run all sessions; return the exit status and the summary."""
    process = start(folder)
    shown, _ = process.communicate(timeout=120)
    assert shown.count("\n== summary\n") == 1, shown
    return process.returncode, shown.partition("\n== summary\n")[2]


def listed(summary: str, heading: str) -> list[str]:
    """Return the lines below a heading."""
    return [
        line.strip() for line in summary.partition(f"\n{heading}:\n")[2].partition("\n\n")[0].splitlines()
    ]


def test_all_sessions_are_counted_together_and_what_was_not_run_is_in_one_list(folder: Path) -> None:
    status, summary = run(folder)
    assert status == 0, summary
    assert listed(summary, "not run") == [
        "tests/cluster/test_slurm.py::test_needs_a_gpu: there is no GPU",
        "tests/house/test_words.py::test_for_hours (2 cases): takes long, run by make campaign",
        "tests/house/test_words.py::test_r: R is not installed",
    ]
    assert listed(summary, "failed") == []
    assert summary.splitlines()[-1] == "6 passed, 0 failed, 2 skipped"
    parts = re.findall(r"^(\w+) +(?:\d+ min +)?\d+ s(?:: (.*))?$", summary, re.M)
    assert parts == [
        ("cluster", "1 passed, 0 failed, 1 skipped"),
        ("remote", "1 passed, 0 failed, 0 skipped"),
        ("ordinary", "3 passed, 0 failed, 1 skipped"),
        ("alone", "1 passed, 0 failed, 0 skipped"),
        ("all", ""),
    ]


def test_whatever_goes_wrong_is_a_failure_and_is_in_one_list(folder: Path) -> None:
    # A session that is killed: what it had come to counts, and the rest is not forgotten.
    write(
        folder,
        "cluster/test_slurm.py",
        """
        pytestmark = pytest.mark.cluster
        def test_a(): pass
        def test_b(): os._exit(7)
        def test_c(): pass
        """,
    )
    write(
        folder,
        "house/test_bad.py",
        """
        def test_wrong(): assert 1 == 2
        @pytest.fixture
        def place():
            yield
            raise OSError("it stays")
        def test_teardown(place): pass
        @pytest.mark.cluster
        def test_nowhere(): pass
        """,
    )
    write(folder, "house/test_times.py", "def test_alone_no_more(): pass")
    status, summary = run(folder)
    assert status == 1
    assert listed(summary, "failed") == [
        "(alone): no test was found",
        "(cluster): the session ended with exit status 7",
        "tests/house/test_bad.py::test_nowhere: no part of scripts/test runs it",
        "tests/house/test_bad.py::test_teardown: tests/house/test_bad.py:6: OSError",
        "tests/house/test_bad.py::test_wrong: tests/house/test_bad.py:2: AssertionError",
    ]
    assert listed(summary, "not run") == [
        "tests/cluster/test_slurm.py::test_b: its session ended with exit status 7 before it had",
        "tests/cluster/test_slurm.py::test_c: its session ended with exit status 7 before it had",
        "tests/house/test_words.py::test_for_hours (2 cases): takes long, run by make campaign",
        "tests/house/test_words.py::test_r: R is not installed",
    ]
    assert summary.splitlines()[-1] == "6 passed, 5 failed, 3 skipped"


def test_a_file_that_cannot_be_read_is_a_failure(folder: Path) -> None:
    write(folder, "remote/test_unreadable.py", "import no_such_module")
    status, summary = run(folder)
    assert status == 1
    error = "tests/remote/test_unreadable.py: E   ModuleNotFoundError: No module named 'no_such_module'"
    assert error in listed(summary, "failed")


def test_an_interrupt_ends_all_sessions_and_still_counts(folder: Path) -> None:
    write(
        folder,
        "cluster/test_slurm.py",
        """
        pytestmark = pytest.mark.cluster
        def test_waits():
            open("waiting", "w").close()
            signal.pause()
        """,
    )
    process = start(folder)
    end = time.monotonic() + 60
    while not ((folder / "waiting").exists() and (folder / "begun").exists()):
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"^\d+ passed, [1-9]\d* failed, \d+ skipped$", shown.splitlines()[-1])
    assert "(all): interrupted" in listed(shown, "failed")
    assert "tests/house/test_times.py::test_start: interrupted before it began" in listed(shown, "not run")
