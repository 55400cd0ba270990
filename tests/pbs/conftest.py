"""A folder of a researcher on the login node of a site whose batch system is a stand-in (standin.py), which says so."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from running.project import Project

STANDIN = Path(__file__).with_name("standin.py")
SITE = """
title: a stand-in, on this machine
scheduler: {dialect}
partitions:
  batch: {{default: true, nodes: 4, cores: 2, memory: 16000 MiB, default_time: 1 h, max_time: 1 day}}
poll: 500 ms
latency: 300 ms
"""


class Site:
    """The site as a test sees it: its jobs, and how its programs behave."""

    def __init__(self, dialect: str, folder: Path, project: Project) -> None:
        self.dialect, self.folder, self.project = dialect, folder, project
        (folder / "bin").mkdir(parents=True)
        for name in ("qsub", "qstat", "qdel", "qrls", "pbsnodes"):
            program = folder / "bin" / name
            argv = shlex.join(map(str, (sys.executable, STANDIN, dialect, folder, name)))
            program.write_text(f'#!/bin/sh\nexec {argv} "$@"\n')
            program.chmod(0o755)
        project.file("packhorse-sites/mine.yaml", SITE.format(dialect=dialect))

    def mood(self, *moods: dict[str, Any]) -> None:
        """Say what the next calls of qsub do in place of taking a job and printing its number."""
        (self.folder / "moods.json").write_text(json.dumps(moods))

    def dead(self, overdue: int, *elements: str) -> None:
        """Let the node of these elements not answer, and them be so many seconds past their time."""
        (self.folder / "dead.json").write_text(json.dumps(dict.fromkeys(elements, overdue)))

    def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs that were ever taken."""
        path = self.folder / "jobs.json"
        found: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        return found

    def tokens(self) -> list[str]:
        """Return what each job is, as `1` or `1-next`."""
        return [job["told"]["PACKHORSE_TOKEN"].split("-", 2)[2] for job in self.jobs()]

    def until(self, condition: Callable[[], Any], seconds: float = 60) -> Any:
        """Wait for a condition, and return what it said."""
        give_up = time.monotonic() + seconds
        while not (said := condition()):
            assert time.monotonic() < give_up, self.story()
            time.sleep(0.05)
        return said

    def running(self) -> list[dict[str, Any]]:
        """Return the elements that run."""
        return [
            one
            for job in self.jobs()
            for one in job["elements"].values()
            if one["state"] == "R" and "shell" in one
        ]

    def story(self) -> str:
        """Return what jobs said, for a test that fails."""
        runs = self.project.directory
        paths = [
            *runs.glob("logs/*"),
            *runs.glob("waves/*.out"),
            *runs.glob("waves/*/submission.json"),
            *self.folder.glob("*.OU"),
        ]
        return "\n".join(f"{path.name}:\n{path.read_text()[-800:]}" for path in sorted(paths)) + json.dumps(
            self.jobs()
        )

    def close(self) -> None:
        """End what still runs."""
        for element in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(element["shell"], signal.SIGKILL)


@pytest.fixture(params=["torque", "openpbs"])
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Return the site, its programs in front on the PATH."""
    site = Site(request.param, tmp_path / "server", Project(tmp_path / "project"))
    monkeypatch.setenv("PATH", f"{site.folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    try:
        yield site
    finally:
        site.close()
