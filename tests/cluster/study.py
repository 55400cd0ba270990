"""Studies that tests run on the cluster, and what must be true of their tables."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.testbed import Cluster

TASKS = 5_000
WORK = """
import os, time

def work(i, seed):
    time.sleep(0 if os.path.exists(HURRY) else SECONDS)
    MISCHIEF
    return {"twice": i * 2, "half": i / 2, "said": seed}
"""
STUDY = """
name: work
function: work:work
parameters: {{i: {{range: [0, {tasks}]}}}}
seed: 3
code: work.py
{more}
"""


class Project:
    """A study of many short tasks in a folder of alice's, and the runs of it."""

    def __init__(
        self,
        cluster: Cluster,
        tasks: int = TASKS,
        seconds: float = 0.004,
        more: str = "",
        mischief: str = "pass",
        site: str = "testbed",
    ) -> None:
        self.cluster, self.tasks, self.site = cluster, tasks, site
        self.user = "alice"
        self.folder = cluster.workspace(self.user)
        self.path = self.folder / "runs" / "work"
        self.write("study.yaml", STUDY.format(tasks=tasks, more=more))
        self.write("work.py", self._work(seconds, mischief))

    def _work(self, seconds: float, mischief: str) -> str:
        said = {"SECONDS": str(seconds), "MISCHIEF": mischief, "HURRY": repr(str(self.folder / "hurry"))}
        return re.sub("|".join(said), lambda found: said[found.group()], WORK)

    def hurry(self) -> None:
        """Let tasks take no time from now on: what the test is about has happened."""
        (self.folder / "hurry").touch()

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """Write a file of alice's."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        self.cluster.give(self.user, path, path.parent)
        return path

    def packhorse(
        self, *words: str, timeout: float = 300, env: Any = None
    ) -> subprocess.CompletedProcess[str]:
        """Run packhorse as alice in the project's folder."""
        return self.cluster.run(self.user, ["packhorse", *words], cwd=self.folder, timeout=timeout, env=env)

    def run(self, *words: str, timeout: float = 300) -> dict[str, Any]:
        """Run the study on the cluster to its end, which must be good; return what it said."""
        done = self.packhorse("run", "study.yaml", "--site", self.site, "--json", *words, timeout=timeout)
        assert done.returncode == 0, (done.stdout, done.stderr, self.story())
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said

    def start(self, *words: str, env: Any = None) -> subprocess.Popen[str]:
        """Start the same, and return at once."""
        argv = ["packhorse", "run", "study.yaml", "--site", self.site, "--json", *words]
        return self.cluster.start_as(self.user, argv, cwd=self.folder, env=env)

    def end(self, process: subprocess.Popen[str], timeout: float = 300) -> dict[str, Any]:
        """Wait for a run that was started; it must end well."""
        out, err = process.communicate(timeout=timeout)
        assert process.returncode == 0, (out, err, self.story())
        said: dict[str, Any] = json.loads(out.splitlines()[-1])
        return said

    def detach(self, *words: str) -> dict[str, Any]:
        """Submit the study and leave it alone; nobody watches it then."""
        done = self.packhorse("run", "study.yaml", "--site", self.site, "--detach", "--json", *words)
        assert done.returncode == 0, (done.stdout, done.stderr)
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said

    def status(self) -> dict[str, Any]:
        """Return what `packhorse status` says."""
        done = self.packhorse("status", "work", "--json")
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def told(self) -> str:
        """Return what `packhorse status` prints to a person."""
        done = self.packhorse("status", "work")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until(self, what: str, ready: Callable[[], object], seconds: float = 120) -> None:
        """Wait until something is so, with the run's story where it does not come to be."""
        give_up = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < give_up, (what, self.story())
            time.sleep(0.1)

    def until_over(self, seconds: float = 180) -> None:
        """Wait until the run is over by itself."""
        self.until("the run is over", (self.path / "stopped.json").exists, seconds)

    def records(self) -> int:
        """Return how many records the journals hold."""
        return sum(path.read_bytes().count(b'"index":') for path in self.journals())

    def journals(self, wave: int | str = "*") -> list[Path]:
        """Return the journals."""
        return sorted((self.path / "journal").glob(f"{wave}-*.ndjson"))

    def submission(self, wave: int = 1) -> dict[str, Any]:
        """Return what is known of a wave's submission."""
        said: dict[str, Any] = json.loads((self.path / "waves" / str(wave) / "submission.json").read_text())
        return said

    def stopped(self) -> dict[str, Any]:
        """Return why the continuation submitted nothing more."""
        said: dict[str, Any] = json.loads((self.path / "stopped.json").read_text())
        return said

    def waves(self) -> list[int]:
        """Return the waves that were planned."""
        return sorted(int(path.parent.name) for path in (self.path / "waves").glob("*/plan.json"))

    def rows(self) -> list[dict[str, str]]:
        """Return the table."""
        with (self.path / "results.csv").open(newline="") as stream:
            return list(csv.DictReader(stream))

    def check(self, without: int = 0) -> list[dict[str, str]]:
        """The table is complete and right: every task once, with its own seed and its own result."""
        rows = self.rows()
        assert len(rows) == self.tasks - without
        indices = [int(row["ph_index"]) for row in rows]
        assert indices == sorted(set(indices))
        assert all(int(row["twice"]) == 2 * int(row["i"]) == 2 * int(row["ph_index"]) for row in rows)
        assert all(float(row["half"]) == int(row["i"]) / 2 for row in rows)
        assert all(row["said"] == row["seed"] for row in rows)
        assert len({row["seed"] for row in rows}) == len(rows)
        return rows

    def collect(self, without: int = 0) -> list[dict[str, str]]:
        """Merge what is there, and check it."""
        done = self.packhorse("collect", "work")
        assert done.returncode == 0, (done.stdout, done.stderr)
        return self.check(without)

    def jobs(self) -> list[str]:
        """Return alice's jobs that wait or run, with their states."""
        done = self.cluster.run(self.user, ["squeue", "--noheader", "--me", "--format=%i %T %j"])
        return done.stdout.splitlines()

    def story(self) -> str:
        """Return what the jobs said, for a test that fails."""
        outputs = [*sorted(self.path.glob("logs/*.out")), *sorted(self.path.glob("waves/*.out"))]
        said = [f"{path.name}:\n{path.read_text()[-1500:]}" for path in outputs]
        said += [
            f"{path}:\n{path.read_text()[-500:]}"
            for path in sorted(self.path.glob("waves/*/submission.json"))
        ]
        return "\n".join([*said, *self.jobs()])
