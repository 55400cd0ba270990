"""A campaign of kills: parent, worker, slot or task die at random moments, and the table is as if they had not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from running.project import Project, bits, marked, workers

KINDS = ("script", "function", "warm", "long")
ROLES = ("parent", "worker", "slot", "task")
MORE = 2  # kills in a round beside one of each kind
TASKS = 240
STARTS = 12  # of the command, after which a round that is not over is stuck
LONG = [
    n for n in range(TASKS // 3) if n % 40 == 0
]  # of `long`: these write until their time limit ends them
LINES = "".join(f"line {number}\n" for number in range(100))  # that each of them has written long before
WORK = {
    # 17 significant digits of awk would hide nothing: the value is the seed itself, as text and as number.
    "script": {"command": "sh sim.sh {n} {seed}", "result": "json"},
    "function": {"function": "model:f"},
    "warm": {"command": "python sim.py {n} {seed}", "result": "json"},
    "long": {
        "command": "sh long.sh {n} {seed}",
        "result": {"file": "out.json"},
        "artifacts": ["lines.txt"],
        "partial": "accept",
        "time_limit": "2 s",
    },
}


def prepared(path: Path, kind: str) -> Project:
    project = Project(path)
    project.file(
        "sim.sh",
        # It appends to a file, takes a lock for ever, removes a file that it needs, and replaces itself.
        "[ $(($1 % 20)) -eq 0 ] && sleep 1000 &\necho $1 >> all.txt; mkdir lock || exit 1; n=$(cat base.txt) || exit 1; rm base.txt\n"
        'sleep 0.0$(($1 % 3))\necho "exit 1" > new.sh; mv new.sh sim.sh\n'
        'echo "{\\"y\\": $(($2 % 1000003)).5, \\"from\\": \\"task $1\\", \\"all\\": \\"$(cat all.txt)\\", \\"n\\": $n}"\n',
    )
    project.file(
        "model.py",
        """
        import os, random, time
        def f(n, seed):
            with open("all.txt", "a") as stream:
                stream.write(f"{n}\\n")
            os.mkdir("lock")
            base = open("base.txt").read()
            os.remove("base.txt")
            open("model.py", "w").write("raise SystemExit")
            time.sleep(0.004 * (n % 3))
            return {"y": random.random(), "from": f"task {n}", "s": seed % 1000003, "all": open("all.txt").read(), "n": base}
        """,
    )
    project.file(
        "sim.py",
        """
        import json, os, random, sys, time
        n, seed = int(sys.argv[1]), int(sys.argv[2])
        with open("all.txt", "a") as stream:
            stream.write(f"{n}\\n")
        os.mkdir("lock")
        base = open("base.txt").read()
        os.remove("base.txt")
        open("sim.py", "w").write("raise SystemExit(1)")
        if n % 20 == 0 and os.fork() == 0:
            os.setsid()
            time.sleep(1000)
        time.sleep(0.004 * (n % 3))
        y = random.Random(seed).random()
        print(json.dumps({"y": y, "from": f"task {n}", "all": open("all.txt").read(), "n": base}))
        """,
    )
    project.file(
        "long.sh",
        "echo $1 >> all.txt; mkdir lock || exit 1; n=$(cat base.txt) || exit 1; rm base.txt\n"
        'i=0; while [ $i -lt 100 ]; do echo "line $i"; i=$((i+1)); done > lines.txt\n'
        'echo "{\\"y\\": $(($2 % 1000003)).5, \\"from\\": \\"task $1\\", \\"all\\": \\"$(cat all.txt)\\", \\"n\\": $n}" > out.json\n'
        "[ $(($1 % 40)) -eq 0 ] || exit 0\n"
        "while :; do echo more >> lines.txt; sleep 0.01; done\n",
    )
    project.file("base.txt", "7\n")
    return project.study(**WORK[kind], parameters={"n": {"range": [TASKS // 3]}}, replicates=3)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the table of each study as it is when nobody kills anything."""
    found = {}
    for kind in KINDS:
        project = prepared(tmp_path_factory.mktemp(kind) / "project", kind)
        project.run("-j2", code=7 if kind == "long" else 0)
        found[kind] = bits(project.table())
        assert kind != "warm" or "warm" in project.rows("ph_start")
        assert len(found[kind]["y"]) == TASKS
        assert all("\n" not in str(text).strip() for text in found[kind]["all"]), (
            "each task saw its own line only"
        )
    return found


class Round:
    """One run that is killed at, and started again until it is over."""

    def __init__(self, project: Project, kind: str, seed: int) -> None:
        self.project, self.kind = project, kind
        self.random = random.Random(seed)
        self.killed = dict.fromkeys(ROLES, 0)
        self.indices: dict[str, int] = {}  # how often each task was killed
        self.said: list[str] = []
        self.nodes_folder = project.path.parent / "tmp"
        self.nodes_folder.mkdir()
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        return self.begin("run", "study.yaml")

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return self.project.start(*words, "-j2", env={**os.environ, "TMPDIR": str(self.nodes_folder)})

    def kill_something(self, role: str) -> None:
        time.sleep(self.random.uniform(0, 0.4))
        # A task lives for some hundredths of a second, so a few looks may be needed to meet one alive.
        if not any(self.kill_one(role) for _ in range(30 if role == "task" else 1)):
            return
        self.killed[role] += 1
        if self.process.poll() is not None or role == "parent":
            self.over()
            self.process = self.start()

    def kill_one(self, role: str) -> bool:
        victims = self.find(role)
        if not victims:
            return False
        victim = self.random.choice(victims)
        try:
            index = _variable(victim, "PACKHORSE_INDEX")
            if role == "task" and not index:
                return False  # it has ended, and waits to be reaped
            os.kill(victim, signal.SIGKILL)
        except OSError:
            return False
        if role == "task":
            self.indices[index] = self.indices.get(index, 0) + 1
        return True

    def find(self, role: str) -> list[int]:
        directory = self.project.directory
        if role == "parent":
            return [self.process.pid]
        if role == "worker":
            return workers(directory)
        found = marked(directory) if (directory / "run.json").exists() else []
        if role == "slot":
            return [pid for pid in found if _is_slot(pid)]
        # The task's first process, which the slot waits for, rather than a child of it.
        return [pid for pid in found if not _is_slot(pid) and _leads(pid)]

    def over(self) -> int:
        said, _ = self.process.communicate(timeout=60)
        self.said.append(f"== exit {self.process.returncode} ==\n{said}")
        return self.process.returncode

    def finish(self) -> None:
        """Start the same command until all has run; tasks that were killed again and again get their retry."""
        for _ in range(STARTS):
            status = self.over()
            failed = self.failed()
            if status == 0 or (status == 7 and not failed and "missing" not in self.said[-1]):
                return
            if failed and "nothing is left to run" in self.said[-1]:
                # Only a task that was itself killed twice may be called a failure.
                for row in failed:
                    assert row["signal"] == "9"
                    times = (
                        self.killed["slot"]
                        if self.kind == "function"
                        else self.indices.get(row["ph_index"], 0)
                    )
                    assert times >= 2, self.said
                self.process = self.begin("retry", "s")
            else:
                self.process = self.start()
        raise AssertionError("\n".join(self.said))

    def failed(self) -> list[dict[str, str]]:
        """Return the failed tasks, apart from those of `long` that are to be ended by their time limit."""
        if not (self.project.directory / "failures.csv").exists():
            return []
        return [row for row in self.project.failures() if row["outcome"] != "TIMEOUT"]


def _is_slot(pid: int) -> bool:
    try:
        return b"slot" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _leads(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except OSError:
        return False


def _variable(pid: int, name: str) -> str:
    rows = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return next((row.partition("=")[2] for row in rows if row.startswith(name + "=")), "")


def survive(path: Path, seed: int, undisturbed: dict[str, Any]) -> None:
    kind = KINDS[seed % len(KINDS)]
    one = Round(prepared(path / "project", kind), kind, seed)
    for role in one.random.sample([*ROLES, *one.random.choices(ROLES, k=MORE)], len(ROLES) + MORE):
        one.kill_something(role)
    one.finish()
    table = one.project.table()
    assert table["ph_index"].to_list() == list(range(TASKS)), one.said
    assert bits(table) == undisturbed[kind], one.said
    assert "differing" not in one.said[-1]
    if kind == "long":
        check_partial_files(one.project)
    assert marked(one.project.directory) == []
    assert workers(one.project.directory) == []
    # A worker that was killed after its last task has left its folder; the next one removes it.
    other = Project(path / "other").study(command="true {i}", parameters={"i": [1]}, result="none")
    other.command("run", "study.yaml", TMPDIR=str(one.nodes_folder))
    assert list(one.nodes_folder.iterdir()) == []


def check_partial_files(project: Project) -> None:
    """Check that what tasks wrote before their time limit is kept, told and marked, and no other task is marked."""
    assert sorted(int(row["n"]) for row in project.failures()) == sorted(LONG * 3)
    artifacts = project.directory / "artifacts"
    long_tasks = {row["ph_index"] for row in project.failures()}
    assert {path.stem for path in artifacts.glob("*.partial")} == long_tasks
    for index in map(str, range(TASKS)):
        text = (artifacts / index / "lines.txt").read_text()
        assert text.startswith(LINES)
        more = text.removeprefix(LINES)
        assert set(more.splitlines()) == ({"more"} if index in long_tasks else set()), index


@pytest.mark.parametrize("seed", range(len(KINDS)))
def test_kills_cost_time_and_nothing_else(tmp_path: Path, undisturbed: dict[str, Any], seed: int) -> None:
    survive(tmp_path, seed, undisturbed)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(len(KINDS), 88))
def test_a_long_campaign_of_kills(tmp_path: Path, undisturbed: dict[str, Any], seed: int) -> None:
    survive(tmp_path, seed, undisturbed)
