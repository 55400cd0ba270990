"""A full disk: told as such, waited for, and no row is wrong. Needs root, for a small file system of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from running.project import Project, bits, marked, until

SIZE = 16 << 20  # the worker wants 4 MiB free before it goes on


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return a directory on a file system of 16 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", place],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        reason = f"a small file system cannot be mounted here, which takes root: {mounted.stderr.strip()}"
        # As with missing programs: where CI is set nothing may be missing, so there the test fails.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


class Output(threading.Thread):
    """Collects what a process prints, so that it can be looked at while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.process, self.text = process, ""
        self.start()

    def run(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.text += line


def fill(path: Path) -> Path:
    """Take all the space there is."""
    with path.open("wb", buffering=0) as stream:
        try:
            while stream.write(b"\0" * 4096):
                pass
        except OSError:
            pass
    return path


KINDS = {
    "script": {
        "command": "python sim.py {n}",
        "result": "out.csv",
    },
    "function": {"function": "model:f"},
}


def project_of(path: Path, kind: str) -> Project:
    project = Project(path)
    project.file(
        "sim.py",
        """
        import sys, time
        n = int(sys.argv[1])
        time.sleep(0.05)
        with open("out.csv", "w") as stream:
            stream.write("y,text\\n")
            for k in range(200):
                stream.write(f"{n * 1000 + k},{'x' * 60}\\n")
        """,
    )
    project.file(
        "model.py",
        "import time\ndef f(n):\n    time.sleep(0.05)\n    return [{'y': n * 1000 + k, 'text': 'x' * 60} for k in range(200)]\n",
    )
    return project.study(**KINDS[kind], parameters={"n": {"range": [60]}})


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_told_and_the_run_goes_on_after_space_is_made(
    tmp_path: Path, small: Path, kind: str
) -> None:
    whole = project_of(tmp_path / "whole", kind)
    whole.run("-j2")
    project = project_of(tmp_path / "project", kind)
    process = project.start("run", "study.yaml", "-j2", "--run", str(small / "run"))
    output = Output(process)
    until(lambda: sum(p.read_bytes().count(b'"index":') for p in small.glob("run/journal/*.ndjson")) >= 4)
    filler = fill(small / "filler")
    until(lambda: "the disk is full" in output.text)
    assert str(small / "run") in output.text
    assert process.poll() is None, "it waits"
    filler.unlink()
    until(lambda: "the disk has free space again" in output.text)
    assert process.wait(60) == 0, output.text
    (project.path / "runs").mkdir(exist_ok=True)
    project.directory.symlink_to(small / "run")
    assert len(project.table()) == 60 * 200
    assert bits(project.table()) == bits(whole.table())
    assert marked(small / "run") == []


def test_a_run_stopped_on_a_full_disk_loses_no_finished_task_and_continues(
    tmp_path: Path, small: Path
) -> None:
    project = project_of(tmp_path / "project", "script")
    process = project.start("run", "study.yaml", "-j2", "--run", str(small / "run"))
    output = Output(process)
    until(lambda: sum(p.read_bytes().count(b'"index":') for p in small.glob("run/journal/*.ndjson")) >= 10)
    filler = fill(small / "filler")
    until(lambda: "the disk is full" in output.text)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) not in (0, None), output.text
    assert "Traceback" not in output.text
    filler.unlink()
    said = project.command("run", "study.yaml", "--run", small / "run")
    assert "60 of 60 tasks done" in said
    (project.path / "runs").mkdir(exist_ok=True)
    project.directory.symlink_to(small / "run")
    assert project.rows("y") == [n * 1000 + k for n in range(60) for k in range(200)]


def test_no_space_at_the_start_is_told_without_a_traceback(tmp_path: Path, small: Path) -> None:
    project = project_of(tmp_path / "project", "script")
    fill(small / "filler")
    said = project.command("run", "study.yaml", "--run", small / "run", code=None)
    assert "No space left on device" in said or "disk is full" in said
    assert "make space" in said
    assert "Traceback" not in said
