"""Studies from a laptop: one login, then the whole way by itself."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import textwrap
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import pexpect
import pytest

from packhorse.ssh.delta import delta
from remote.laptop import Laptop
from running.project import PACKHORSE

SIM = """
import argparse, json, random
parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int)
parser.add_argument("--seed", type=int)
given = parser.parse_args()
rng = random.Random(given.seed)
print(json.dumps({"mean": sum(rng.random() for _ in range(given.n)) / given.n}))
"""
SLOW = (
    SIM
    + """
import time
time.sleep(1.5)
"""
)
USE = """
import json, sys
n = int(sys.argv[1])
print(f"heard of {n}", file=sys.stderr)
open(f"figure-{n}.txt", "w").write(f"figure of {n}")
print(json.dumps({"x": n * int(open("input of mine/a.txt").read())}))
"""
STUDY = """
command: python sim.py --n {n} --seed {seed}
parameters: {n: [10, 20]}
replicates: 5
"""
# It runs long enough for something to happen to it.
LONG = STUDY.replace("sim.py", "slow.py").replace("replicates: 5", "replicates: 8")


def project(place: Path, study: str = STUDY, **files: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / "study.yaml").write_text("name: study\n" + textwrap.dedent(study).lstrip("\n"))
    (place / "sim.py").write_text(SIM)
    for name, text in files.items():
        (place / name).write_text(text)
    return place


@pytest.fixture
def connected(laptop: Laptop) -> Laptop:
    code, shown = laptop.connect("key")
    assert code == 0, shown
    return laptop


def counting(laptop: Laptop) -> Path:
    """Put a program before ssh on the laptop's PATH that notes each call and is ssh then; return where it notes."""
    place = laptop.home / "bin"
    place.mkdir()
    notes = laptop.home / "ssh-calls"
    real = shutil.which("ssh")
    (place / "ssh").write_text(f'#!/bin/sh\necho "$*" | head -n 1 >> {notes}\nexec {real} "$@"\n')
    (place / "ssh").chmod(0o755)
    return notes


def sessions(notes: Path) -> int:
    """Return how many calls of ssh there were, those that only look at the master's socket left out."""
    return sum("-O check" not in line for line in notes.read_text().splitlines() if "ControlPath" in line)


def path_with(laptop: Laptop) -> dict[str, str]:
    return {"PATH": f"{laptop.home / 'bin'}:{os.environ['PATH']}"}


def until(what: str, ready: Callable[[], object], seconds: float = 90) -> None:
    give_up = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < give_up, what
        time.sleep(0.2)


def table(place: Path, run: str = "runs/study") -> list[dict[str, str]]:
    rows = csv.DictReader((place / run / "results.csv").read_text().splitlines())
    return [{name: value for name, value in row.items() if not name.startswith("ph_")} for row in rows]


@pytest.mark.parametrize("kind", ["key", "push", "code", "both"])
def test_a_study_goes_there_runs_and_comes_home(laptop: Laptop, kind: str) -> None:
    code, shown = laptop.connect(kind)
    assert code == 0, shown
    place = project(laptop.home / "study of 'mine' $x \n ü", STUDY + "warm: true\n")
    done = laptop.run("run", "study.yaml", "--site", kind, cwd=place)
    assert done.returncode == 0, done
    assert "10 of 10 tasks done" in done.stdout
    if kind == "key":  # how one logs in changes nothing of the run
        facts = json.loads(laptop.run("provenance", "study", "--json", cwd=place).stdout)
        assert facts["warm"]["warm"], "the trial was made there, and its outcome is known here"
        here = laptop.run("run", "study.yaml", "--run", "runs/here", cwd=place)
        assert here.returncode == 0, here
        assert table(place) == table(place, "runs/here")
    assert laptop.gate.logins() == [laptop.gate.users[kind]]


@pytest.mark.r
def test_a_study_in_r_starts_warm_there(connected: Laptop) -> None:
    study = """
    command: Rscript twice.R {n}
    parameters: {n: {range: [70]}}
    warm: true
    """
    script = "n <- as.integer(commandArgs(TRUE)[[1]])\ncat(sprintf('{\"twice\": %d}\\n', 2L * n))\n"
    place = project(connected.home / "study", study, **{"twice.R": script})
    done = connected.run("run", "study.yaml", "--site", "key", cwd=place)
    assert done.returncode == 0, done
    with (place / "runs/study/results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["twice"]) for row in rows] == [2 * n for n in range(70)]
    starts = [row["ph_start"] for row in rows]
    assert starts.count("warm") >= 5, starts


def test_the_laptop_may_go_after_submitting(connected: Laptop) -> None:
    place = project(connected.home / "study")
    went = connected.run("run", "study.yaml", "--site", "key", "--detach", cwd=place)
    assert went.returncode == 0, went
    assert "packhorse status study" in went.stdout

    def state() -> str:
        said = connected.run("status", "study", "--json", cwd=place)
        assert said.returncode == 0, said
        return str(json.loads(said.stdout)["state"])

    until("the run is over", lambda: state() == "done")
    got = connected.run("collect", "study", cwd=place)
    assert got.returncode == 0, got
    assert len(table(place)) == 10
    assert connected.gate.logins() == [connected.gate.users["key"]]


def test_each_command_is_few_sessions(connected: Laptop) -> None:
    place, notes = project(connected.home / "study"), counting(connected)
    went = connected.run(
        "run", "study.yaml", "--site", "key", "--detach", cwd=place, env=path_with(connected)
    )
    assert went.returncode == 0, went
    assert sessions(notes) <= 2
    for words in (
        ("status", "study"),
        ("collect", "study"),
        ("cancel", "study"),
        ("logs", "study", "--task", "3"),
    ):
        notes.write_text("")
        done = connected.run(*words, cwd=place, env=path_with(connected))
        assert done.returncode == 0, done
        assert sessions(notes) == 1, words


def test_the_login_is_lost_and_comes_back(connected: Laptop) -> None:
    place = project(connected.home / "study", LONG, **{"slow.py": SLOW})
    watching = connected.terminal("run", str(place / "study.yaml"), "--site", "key")
    watching.expect("running on")
    connected.gate.restart(cut=True)
    watching.expect("packhorse connect key")
    code, shown = connected.connect("key")
    assert code == 0, shown
    watching.expect("connected to key again", timeout=60)
    watching.expect("16 of 16 tasks done", timeout=120)
    watching.expect(pexpect.EOF)
    assert connected.gate.logins() == [connected.gate.users["key"]] * 2


def test_sshd_restarts_between_any_two_steps(connected: Laptop) -> None:
    place = project(connected.home / "study")
    steps = (
        ("plan", "study.yaml", "--site", "key"),
        ("run", "study.yaml", "--site", "key", "--detach"),
        ("status", "study"),
        ("run", "study.yaml", "--site", "key"),
        ("collect", "study"),
    )
    for words in steps:
        connected.gate.restart()
        done = connected.run(*words, cwd=place)
        assert done.returncode == 0, done
    assert connected.gate.logins() == [connected.gate.users["key"]]


def test_without_a_login_each_command_says_what_to_type(laptop: Laptop) -> None:
    place = project(laptop.home / "study")
    done = laptop.run("run", "study.yaml", "--site", "push", cwd=place)
    assert done.returncode == 5
    assert "log in: packhorse connect push" in done.stderr
    assert not laptop.gate.attempts()


def test_data_artifacts_and_logs_travel(connected: Laptop) -> None:
    place = connected.home / "study"
    (place / "input of mine").mkdir(parents=True)
    (place / "input of mine" / "a.txt").write_text("42")
    project(
        place,
        """
        command: python use.py {n}
        parameters: {n: [1, 2, 3]}
        data: [input of mine]
        artifacts: ["figure-*.txt"]
        """,
        **{"use.py": USE},
    )
    done = connected.run("run", "study.yaml", "--site", "key", cwd=place)
    assert done.returncode == 0, done
    assert [row["x"] for row in table(place)] == ["42", "84", "126"]
    assert (place / "runs/study/artifacts/2/figure-3.txt").read_text() == "figure of 3"
    logs = connected.run("logs", "study", "--task", "1", cwd=place)
    assert "heard of 2" in logs.stdout
    said = connected.run("explain", "study", "--task", "1", cwd=place)
    assert said.returncode == 0, said
    assert "to repeat it by hand on key:" in said.stdout
    lines = said.stdout.partition("by hand on key:\n")[2]
    user = connected.gate.users["key"]
    repeated = connected.gate.cluster.run(user, ["sh", "-ec", lines])
    assert json.loads(repeated.stdout) == {"x": 84}, repeated
    again = connected.run("run", "study.yaml", "--site", "key", "--fresh", cwd=place)
    assert again.returncode == 0, again


def test_a_task_is_followed_from_the_laptop_while_it_runs(connected: Laptop) -> None:
    """What it prints arrives before it has ended, and the whole of it."""
    place = project(
        connected.home / "talk",
        "command: python talk.py {n}\nparameters: {n: [15]}\nresult: json\n",
        **{
            "talk.py": "import sys, time\n"
            "for step in range(int(sys.argv[1])):\n    print('step', step)\n    time.sleep(1)\nprint('{\"x\": 1}')\n"
        },
    )
    started = connected.run("run", "study.yaml", "--site", "key", "--detach", cwd=place)
    assert started.returncode == 0, started.stderr
    env = {
        name: value for name, value in {**os.environ, **connected.environment}.items() if value is not None
    }
    argv = [PACKHORSE, "logs", "study", "--task", "0", "--follow"]
    with subprocess.Popen(
        argv, cwd=place, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as follower:
        assert follower.stdout is not None
        first = follower.stdout.readline()
        state = json.loads(connected.run("status", "study", "--json", cwd=place).stdout)["state"]
        rest = follower.stdout.read()
    assert follower.returncode == 0
    assert (first, state) == ("step 0\n", "running")
    assert rest == "".join(f"step {step}\n" for step in range(1, 15)), "the result is not output"


def test_failed_tasks_are_told_and_run_again(connected: Laptop) -> None:
    place = project(
        connected.home / "study",
        "command: python fail.py {n}\nparameters: {n: [1, 2, 3, 4]}\n",
        **{
            "fail.py": "import sys, json\nn = int(sys.argv[1])\nassert n != 3, 'three is bad'\nprint(json.dumps({'x': n}))\n"
        },
    )
    done = connected.run("run", "study.yaml", "--site", "key", cwd=place)
    assert done.returncode == 7, done
    status = connected.run("status", "study", cwd=place)
    assert "three is bad" in status.stdout, status
    again = connected.run("retry", "study", "--keep", cwd=place)
    assert again.returncode == 7, again
    assert "three is bad" in again.stdout + again.stderr


def test_a_run_is_cancelled_from_afar(connected: Laptop) -> None:
    place = project(connected.home / "study", LONG, **{"slow.py": SLOW})
    assert connected.run("run", "study.yaml", "--site", "key", "--detach", cwd=place).returncode == 0
    done = connected.run("cancel", "study", cwd=place)
    assert done.returncode == 0, done
    assert "cancelled" in done.stdout
    until(
        "its jobs are gone",
        lambda: (
            json.loads(connected.run("status", "study", "--json", cwd=place).stdout)["state"] == "cancelled"
        ),
    )
    more = connected.run("run", "study.yaml", "--site", "key", cwd=place)
    assert more.returncode == 0, more
    assert len(table(place)) == 16


def test_status_of_many_tasks_is_a_few_bytes(connected: Laptop) -> None:
    place = project(
        connected.home / "study",
        "function: work:half\ncode: work.py\nparameters: {i: {range: [0, 100000]}}\n",
        **{"work.py": "def half(i):\n    return {'x': i * 0.5}\n"},
    )
    done = connected.run("run", "study.yaml", "--site", "key", "--detach", cwd=place)
    assert done.returncode == 0, done
    said: dict[str, Any] = {}

    def over() -> bool:
        """Return whether all is done; before that each worker's end of a journal may have 64 KiB."""
        said.update(json.loads(connected.run("status", "study", "--json", cwd=place).stdout))
        return bool(said["state"] == "done" and not said["jobs"]["running"])

    until("all are done", over)
    over()
    assert said["done"] == 100_000
    assert not list((place / "runs/study/journal").glob("*"))  # status needs no journal
    assert said["carried"]["bytes"] < 100_000
    assert connected.run("collect", "study", cwd=place).returncode == 0
    assert len(table(place)) == 100_000


@pytest.mark.parametrize(
    "line",
    ["echo hello from your files; echo and more >&2", "case $- in *i*) ;; *) return;; esac"],
    ids=["prints", "returns early"],
)
def test_shell_files_that_print_or_return_early(connected: Laptop, line: str) -> None:
    with connected.gate.startup("key", line):
        place = project(connected.home / "study")
        done = connected.run("run", "study.yaml", "--site", "key", cwd=place)
    assert done.returncode == 0, done
    assert len(table(place)) == 10


def test_all_sessions_in_use_is_waited_for_and_never_a_new_login(connected: Laptop) -> None:
    connected.gate.change("MaxSessions 1\n")
    assert connected.run("connect", "key", "--close").returncode == 0
    code, shown = connected.connect("key")
    assert code == 0, shown
    place = project(connected.home / "study")
    with connected.session("key"):
        done = connected.run("run", "study.yaml", "--site", "key", cwd=place)
    assert done.returncode == 5
    assert "too many sessions" in done.stderr
    assert connected.run("run", "study.yaml", "--site", "key", cwd=place).returncode == 0
    assert connected.gate.logins() == [connected.gate.users["key"]] * 2


def test_a_plan_says_where_the_run_will_live_and_with_which_python(connected: Laptop) -> None:
    place = project(connected.home / "study")
    said = connected.run("plan", "study.yaml", "--site", "key", "--script", "-v", cwd=place)
    assert said.returncode == 0, said
    home = connected.gate.cluster.home(connected.gate.users["key"])
    assert f"run directory there: {home}/packhorse/runs/study-NEW" in said.stdout
    assert not (home / "packhorse/runs/study-NEW").exists()
    assert "python3" in said.stdout
    assert connected.run("connect", "key", "--close").returncode == 0
    blind = connected.run("plan", "study.yaml", "--site", "key", cwd=place)
    assert blind.returncode == 0, blind
    assert "packhorse connect key" in blind.stdout


def test_an_area_that_is_full_is_refused_and_another_named(connected: Laptop) -> None:
    gate = connected.gate
    small, big = (gate.cluster.workspace(gate.users["key"]) for _ in range(2))
    connected.site(
        "areas",
        f"extends: key\nstorage:\n  small: {{path: {small}, purpose: [runs]}}\n"
        f"  big: {{path: {big}, purpose: [scratch], purge: 4 weeks}}\n",
    )
    place = project(connected.home / "study")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", small], check=True)
    try:
        full = connected.run("run", "study.yaml", "--site", "areas", cwd=place)
        assert full.returncode == 5, full
        assert "has 2 MB free" in full.stderr
        assert "--area big" in full.stderr
        assert not list(small.rglob("job-base.sh"))
        fits = connected.run("run", "study.yaml", "--site", "areas", "--area", "big", cwd=place)
        assert fits.returncode == 0, fits
        assert f"run directory: {big}/packhorse/runs/study-" in fits.stderr
        assert "download results by" in fits.stderr
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)
    unknown = connected.run("run", "study.yaml", "--site", "areas", "--area", "hoard", "--fresh", cwd=place)
    assert unknown.returncode == 2
    assert "its areas: small, big" in unknown.stderr


def test_asking_ends_when_the_site_would_close_an_idle_login(connected: Laptop) -> None:
    connected.site("brief", "extends: key\nidle: 4 s\n")
    place = project(connected.home / "study", LONG, **{"slow.py": SLOW})
    assert connected.run("connect", "brief", "--check").returncode == 0
    left = connected.run("run", "study.yaml", "--site", "brief", cwd=place)
    assert left.returncode == 0, left
    assert "The run continues without this command" in left.stderr
    code, shown = connected.connect("brief", [], "--keep")
    assert code == 0, shown
    ended = connected.run("run", "study.yaml", "--site", "brief", cwd=place)
    assert "16 of 16 tasks done" in ended.stdout, ended


def test_only_what_is_new_of_a_snapshot_travels(connected: Laptop) -> None:
    place = project(connected.home / "study")
    for number in range(60):
        (place / f"module_{number}.py").write_text("".join(f"x{n} = {n * number}\n" for n in range(1000)))
    assert connected.run("run", "study.yaml", "--site", "key", cwd=place).returncode == 0
    (place / "module_7.py").write_text("changed = True\n")
    again = connected.run("run", "study.yaml", "--site", "key", "--keep", "--fresh", cwd=place)
    assert again.returncode == 0, again
    here = sorted((place / "runs/study").glob("code-*.tar"), key=lambda path: path.stat().st_mtime)
    folder = json.loads((place / "runs/study/cluster.json").read_text())["folder"]
    there = Path(folder) / here[-1].name
    assert there.read_bytes() == here[-1].read_bytes()
    old, new = (path.read_bytes() for path in here)
    pieces = delta(*here)
    assert (
        b"".join(
            new[at : at + length] if offset < 0 else old[offset : offset + length]
            for (offset, length), at in zip(pieces, accumulate([0, *(n for _, n in pieces)]), strict=False)
        )
        == new
    )
    assert sum(length for offset, length in pieces if offset < 0) < 10_000 < len(new) // 20
