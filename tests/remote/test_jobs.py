"""Jobs, queues and scripts of one's own from a laptop: one login, and everything rides on it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remote.gate import Gate
from remote.laptop import Laptop
from remote.test_run import counting, sessions

FIT = """#!/bin/bash
#SBATCH --time=10
#SBATCH --output=logs/out.txt
python3 src/fit.py --data=data.csv "$1" > 'result of fit.txt'
cat 'result of fit.txt'
sleep ${2:-0}
"""


@pytest.fixture
def connected(laptop: Laptop) -> Laptop:
    code, shown = laptop.connect("key")
    assert code == 0, shown
    return laptop


@pytest.fixture
def work(connected: Laptop) -> Path:
    """Return a folder of the laptop's with a script and what it needs."""
    place = connected.home / "work"
    (place / "src").mkdir(parents=True)
    (place / "fit.sh").write_text(FIT)
    (place / "src" / "fit.py").write_text("import sys\nprint(open('data.csv').read(), sys.argv[2])\n")
    (place / "data.csv").write_text("1,2,3\n")
    (place / "not needed.bin").write_bytes(b"x" * 1000)
    (place / "lib").mkdir()
    (place / "lib" / "more.txt").write_text("more\n")
    return place


def until(what: str, ready: Callable[[], object], seconds: float = 90) -> None:
    give_up = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < give_up, what
        time.sleep(0.2)


def said(laptop: Laptop, *words: str, cwd: Path) -> dict[str, Any]:
    done = laptop.run(words[0], "--json", *words[1:], cwd=cwd)
    assert done.returncode == 0, (done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_jobs_of_all_sites_and_those_that_cannot_be_reached(connected: Laptop, gate: Gate) -> None:
    user = gate.users["key"]
    job = gate.cluster.run(user, ["sbatch", "--parsable", "--hold", "--wrap=true"]).stdout.strip()
    shown = connected.run("jobs").stdout
    assert "key: 1 job\n" in shown
    assert f"  {job}  wrap  held" in shown
    assert "not queried: both, code, push: not connected (packhorse connect SITE)\n" in shown
    both = connected.run("jobs", "code", "key").stdout
    assert "code: not connected to code; log in: packhorse connect code\n" in both
    assert "key: 1 job\n" in both
    assert connected.run("cancel", f"key:{job}").stdout == f"cancelled job {job} of key (wrap)\n"
    assert "general" in connected.run("queues", "key").stdout
    assert gate.logins() == [user]


def test_every_command_is_one_session_on_the_login(connected: Laptop, gate: Gate, work: Path) -> None:
    notes = counting(connected)
    path = {"PATH": f"{connected.home / 'bin'}:{os.environ['PATH']}"}
    commands = [
        ["jobs", "key"],
        ["jobs", "key", "--all"],
        ["queues", "key"],
        ["submit", "fit.sh", "--site", "key"],
        ["status", "fit-1"],
        ["logs", "fit-1"],
    ]
    for words in commands:
        notes.write_text("")
        done = connected.run(*words, cwd=work, env=path)
        assert done.returncode == 0, (words, done.stderr)
        assert sessions(notes) <= 1, (words, notes.read_text())
    assert gate.logins() == [gate.users["key"]]


def test_a_watch_over_a_login_ends_with_the_sites_rule(laptop: Laptop, gate: Gate) -> None:
    laptop.site("brief", "extends: testbed\nlogin: login-key\npoll: 1 s\nidle: 4 s\n")
    assert laptop.connect("brief", [])[0] == 0
    gate.cluster.run(gate.users["key"], ["sbatch", "--hold", "--wrap=true"])
    shown = laptop.run("jobs", "brief", "--watch")
    assert shown.returncode == 0, shown.stderr
    assert "stopped monitoring: the site closes idle logins; --keep goes on" in shown.stdout


def test_a_script_goes_there_with_what_it_needs_and_its_results_come_home(
    connected: Laptop, gate: Gate, work: Path
) -> None:
    sent = said(connected, "submit", "fit.sh", "--site", "key", "--with", "lib", "--", "it's", cwd=work)
    assert sorted(sent["files"]) == ["data.csv", "lib/more.txt", "src/fit.py"]
    until("it is done", lambda: said(connected, "status", "fit-1", cwd=work)["state"] == "done")
    assert connected.run("logs", "fit-1", cwd=work).stdout == "1,2,3\n it's\n"
    fetched = connected.run("get", "fit-1", cwd=work)
    assert fetched.returncode == 0, fetched.stderr
    came = work / "runs" / "fit-1" / "files"
    assert (came / "result of fit.txt").read_text() == "1,2,3\n it's\n"
    assert (came / "logs" / "out.txt").exists()
    assert not (came / "not needed.bin").exists()
    assert "nothing new" in connected.run("get", "fit-1", cwd=work).stdout
    until(
        "the accounting knows it",
        lambda: re.search(
            r"fit\.sh \(run fit-1\) +done", connected.run("jobs", "key", "--ended", cwd=work).stdout
        ),
    )
    assert gate.logins() == [gate.users["key"]]


def test_a_script_is_followed_and_cancelled_from_afar(connected: Laptop, gate: Gate, work: Path) -> None:
    sent = said(connected, "submit", "fit.sh", "--site", "key", "--name", "slow", "--", "x", "7", cwd=work)
    followed = connected.run("logs", "slow-1", "--follow", cwd=work)
    assert followed.stdout == "1,2,3\n x\n", followed.stderr
    again = said(connected, "submit", "fit.sh", "--site", "key", "--name", "slow", "--", "x", "600", cwd=work)
    assert again["run"].endswith("slow-2")
    assert again["folder"] != sent["folder"]
    until("it runs", lambda: said(connected, "status", "slow-2", cwd=work)["state"] == "running")
    assert connected.run("cancel", "slow-2", cwd=work).returncode == 0
    until("it is seen", lambda: said(connected, "status", "slow-2", cwd=work)["state"] == "cancelled")
    assert gate.logins() == [gate.users["key"]]


def test_without_a_connection_a_script_says_what_to_type(
    laptop: Laptop, connected: Laptop, work: Path
) -> None:
    assert connected.run("submit", "fit.sh", "--site", "key", "--", "x", "600", cwd=work).returncode == 0
    connected.run("connect", "key", "--close")
    shown = connected.run("status", "fit-1", cwd=work)
    assert shown.returncode == 0
    assert "unknown; not connected to key; log in: packhorse connect key" in shown.stdout
    assert "fit-1: unknown, fit.sh on key\n" in connected.run("runs", cwd=work).stdout
    refused = connected.run("submit", "fit.sh", "--site", "key", cwd=work)
    assert refused.returncode == 5
    assert "packhorse connect key" in refused.stderr
    assert not (work / "runs" / "fit-2").exists()
    listed = connected.run("jobs", cwd=work).stdout
    assert "key: not connected to key; log in: packhorse connect key\n" in listed
