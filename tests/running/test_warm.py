"""Warm starts through the command: tasks are forks of an interpreter with their modules, and behave as cold ones do."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from running.project import Project

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm starts need Linux")

# The first 20 tasks repeat; the later ones do all that a slot must survive.
SIM = """
    import json, os, random, subprocess, sys, time
    import helper

    i = int(sys.argv[1])
    found = os.path.exists("left.txt")
    with open("left.txt", "w") as stream:
        stream.write("of a task")
    if i == 30:
        sys.exit("a reason")
    if i == 31:
        os.kill(os.getpid(), 11)
    if i == 32:
        time.sleep(60)
    if i == 33:
        block = b"x" * (300 << 20)
    if i == 34:
        begun = time.process_time()
        while time.process_time() < begun + 0.5:
            pass
    if i == 35:
        subprocess.Popen(["sleep", "600"])
    if i == 36:
        os.kill(os.getppid(), 9)  # what an administrator or the system may do to the warm process
    print(json.dumps({"value": helper.double(i), "drawn": random.random(), "found": found, "folder": os.getcwd(),
                      "given": os.environ["PACKHORSE_PARAM_i"]}))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project").write(helper_py="def double(i):\n    return 2 * i\n")


def study(project: Project, script: str, tasks: int = 40, **keys: object) -> Project:
    project.file("sim.py", script)
    return project.study(
        command=f"{sys.executable} sim.py {{i}}", parameters={"i": {"range": [0, tasks]}}, **keys
    )


def explained(project: Project, task: int) -> dict[str, object]:
    found: dict[str, object] = json.loads(project.command("explain", "s", "--task", str(task), "--json"))
    return found


def test_warm_tasks_do_what_cold_ones_do(project: Project) -> None:
    study(project, SIM, time_limit="5 s")
    project.run("-j1", code=7)
    table = {row["ph_index"]: row for row in project.table().to_dicts()}
    assert {index: row["ph_start"] for index, row in table.items()} == {
        index: "warm" if index else "cold" for index in table
    }
    assert [row["value"] for row in table.values()] == [2 * index for index in table]
    assert [row["given"] for row in table.values()] == [str(index) for index in table]
    assert len({row["drawn"] for row in table.values()}) == len(table), (
        "each task has random numbers of its own"
    )
    assert not any(row["found"] for row in table.values()), (
        "each task begins with the project as it was planned"
    )
    assert table[33]["ph_memory"] > 300 << 10
    assert table[20]["ph_memory"] < 100 << 10
    assert 0.5 <= table[34]["ph_cpu"] < 1
    assert table[20]["ph_cpu"] < 0.2
    failed = {
        int(row["ph_index"]): (row["outcome"], row["exit"], row["signal"]) for row in project.failures()
    }
    assert failed == {30: ("FAILED", "1", None), 31: ("FAILED", None, "11"), 32: ("TIMEOUT", None, "15")}
    assert explained(project, 30)["record"]["cause"] == "a reason"  # type: ignore[index]
    found = explained(project, 5)
    assert found["start"] == "warm"
    assert str(found["warm"]).startswith("tasks start warm, in forks of a process that has imported ")
    assert "\n  started warm\n" in project.command("explain", "s", "--task", "5")
    assert "\n  started cold\n  tasks start warm, in" in project.command("explain", "s", "--task", "0")
    assert "start cold" not in project.command("status")
    facts = json.loads(project.command("provenance", "--json"))["warm"]
    assert facts["warm"]
    assert {"json", "random", "subprocess"} <= set(facts["modules"])
    assert "helper" not in facts["modules"], "files of the study are never loaded before a task begins"
    # What was found out holds for later waves: their first task starts warm.
    study(project, SIM, tasks=45, time_limit="5 s")
    project.run("-j1", code=7)
    assert [row["ph_start"] for row in project.table().to_dicts() if row["ph_index"] >= 40] == ["warm"] * 5
    project.command("rerun", "--sample", "1", "--where", "i=3", code=7)  # random numbers differ


def test_a_script_that_sees_the_difference_stays_cold(project: Project) -> None:
    script = """
        import os, sys
        with open(f"/proc/{os.getppid()}/cmdline", "rb") as stream:
            parent = stream.read().split(b"\\0")
        print({"i": int(sys.argv[1]), "parent": "worker" if b"slot" in parent else "another"})
    """
    study(project, script)
    project.run("-j2")
    assert "ph_start" not in project.table().columns
    assert set(project.rows("parent")) == {"worker"}
    sentence = (
        "tasks start cold: the script's result differs between cold starts and warm ones (worker and another)"
    )
    assert sentence in project.command("status")
    assert json.loads(project.command("status", "--json"))["cold"] == sentence
    assert sentence in project.command("explain", "s", "--task", "3")
    assert sentence in project.command("provenance")
    assert "20 of 20 finished tasks had the same result again" in project.command("rerun")
    study(project, script, warm=True)
    said = project.run("--fresh", code=None)
    assert "tasks cannot start warm, as `warm: true` demands: the script's result differs" in said


def test_a_module_that_starts_a_thread_is_named(project: Project) -> None:
    """The module is one of the study that `warm: {modules: ...}` names, as an installed one would be."""
    script = """
        import sys
        print({"i": int(sys.argv[1])})
    """
    project.file(
        "busy.py",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n",
    )
    study(project, script, warm={"modules": ["busy"]})
    project.run()
    left_out = json.loads(project.command("provenance", "--json"))["warm"]["left_out"]
    assert left_out == {"busy": "starts a thread when it is imported"}
    assert "warm" in project.rows("ph_start")


def test_an_interpreter_that_cannot_be_warm_leaves_no_trace(project: Project) -> None:
    """It is a stand-in: a shell script that refuses to run our file, as an interpreter of Python 2 would."""
    refuse = 'case "$1" in *packhorse*) echo "SyntaxError: no"; echo "SyntaxError: no" >&2; exit 1;; esac'
    project.file("bin/python3", f'#!/bin/sh\n{refuse}\nexec {sys.executable} "$@"\n').chmod(0o755)
    project.file("sim.py", "import sys\nprint('said', file=sys.stderr)\nprint({'i': int(sys.argv[1])})\n")
    project.study(command="./bin/python3 sim.py {i}", parameters={"i": {"range": [0, 20]}})
    project.run("-j1")
    assert sorted(project.rows("i")) == list(range(20))
    assert "tasks start cold: the warm process ended unexpectedly" in project.command("status")
    for task in ("0", "1"):
        said = project.command("logs", "s", "--task", task)
        assert "SyntaxError" not in said
        assert said.count("said") == 1


def test_no_warm(project: Project) -> None:
    study(project, SIM, tasks=34, time_limit="1 s")
    project.run("--no-warm", code=7)
    assert "ph_start" not in project.table().columns
    assert not (project.directory / "warm").exists()
    study(project, SIM, tasks=35, warm=False, time_limit="1 s")
    project.run(code=7)
    assert not (project.directory / "warm").exists()


def test_results_of_warm_tasks_are_those_of_cold_ones(project: Project) -> None:
    script = """
        import random, sys
        random.seed(int(sys.argv[1]))
        print({"x": random.gauss(0, 1)})
    """
    study(project, script)
    project.run()
    assert "warm" in project.rows("ph_start")
    assert "20 of 20 finished tasks had the same result again" in project.command("rerun", "--cold")
    assert "20 of 20 finished tasks had the same result again" in project.command("rerun")


def test_a_warm_process_that_is_killed_in_the_trial_is_tried_again(project: Project) -> None:
    """A kill says nothing about the script: kept as the proof, it would make the whole run start cold, or fail."""
    study(project, "import json, sys\nprint(json.dumps({'y': int(sys.argv[1])}))\n", warm=True)
    process = project.start("run", "study.yaml", "-j1")
    mark, killed = str(project.path.parent).encode(), 0
    while not killed and process.poll() is None:
        for entry in Path("/proc").iterdir():
            try:
                about = (entry / "cmdline").read_bytes()
                if b"packhorse_importlib_bootstrap" in about and mark in (entry / "environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
                    killed += 1
            except (OSError, ValueError):
                continue
    said, _ = process.communicate(timeout=60)
    assert (killed, process.returncode) == (1, 0), said
    assert project.rows("y") == list(range(40))
    assert "warm" in project.rows("ph_start")


def test_threads_of_openblas_do_not_matter(project: Project) -> None:
    """With several cores a task, NumPy starts threads when it is imported; they end before a fork."""
    script = """
        import json, sys
        import numpy as np
        a = np.random.default_rng(int(sys.argv[1])).normal(size=(300, 300))
        print(json.dumps({"y": float(np.linalg.svd(a @ a, compute_uv=False).sum())}))
        """
    study(project, script, tasks=14, warm=True, resources={"cpus": 2}).run("-j1")
    rows = project.rows("y", "ph_start")
    assert {start for _, start in rows} == {"cold", "warm"}
    assert len({y for y, _ in rows}) == 14


# As SIM, in R.
SIM_R = """
    source("helper.R")
    library(splines)
    i <- as.integer(commandArgs(trailingOnly = TRUE)[[1]])
    found <- file.exists("left.txt")
    writeLines("of a task", "left.txt")
    if (i == 30) stop("a reason")
    if (i == 31) system(paste("kill -11", Sys.getpid()))
    if (i == 32) Sys.sleep(60)
    if (i == 33) block <- numeric(40e6) + 1
    if (i == 34) while (sum(proc.time()[1:2]) < 0.5) for (k in 1:1e5) k
    if (i == 35) system("sleep 600", wait = FALSE)
    if (i == 36) system("kill -9 $(cat /proc/$PPID/task/*/children)") # also what waits for the next task
    if (i == 37) quit(status = 4)
    cat(sprintf('{"value": %d, "drawn": %.17g, "found": %d, "given": %s}\\n', double(i), runif(1), found,
        Sys.getenv("PACKHORSE_PARAM_i")))
"""


@pytest.mark.r
def test_warm_tasks_of_r_do_what_cold_ones_do(tmp_path: Path) -> None:
    project = Project(tmp_path / "project").write(helper_R="double <- function(i) 2L * i\n")
    project.file("sim.R", SIM_R)
    keys = {"command": "Rscript sim.R {i}", "time_limit": "5 s"}
    project.study(**keys, parameters={"i": {"range": [0, 45]}})
    project.run("-j1", code=7)
    table = {row["ph_index"]: row for row in project.table().to_dicts()}
    cold = {index for index, row in table.items() if row["ph_start"] == "cold"}
    assert len(cold) <= 2, "the first task, and the one that misses the process that task 36 has killed"
    assert [row["value"] for row in table.values()] == [2 * index for index in table]
    assert [row["given"] for row in table.values()] == list(table)
    assert len({row["drawn"] for row in table.values()}) == len(table)
    assert not any(row["found"] for row in table.values())
    assert 300 << 10 < table[33]["ph_memory"] < 700 << 10
    assert table[20]["ph_memory"] < 150 << 10
    assert 0.4 <= table[34]["ph_cpu"] < 2
    assert table[20]["ph_cpu"] < 0.3
    failed = {
        int(row["ph_index"]): (row["outcome"], row["exit"], row["signal"]) for row in project.failures()
    }
    assert failed == {
        30: ("FAILED", "1", None),
        31: ("FAILED", None, "11"),
        32: ("TIMEOUT", None, "15"),
        37: ("FAILED", "4", None),
    }
    facts = json.loads(project.command("provenance", "--json"))["warm"]
    assert facts["language"] == "R"
    assert {"splines", "base::source"} <= set(facts["modules"])
    assert "in forks of a process that has loaded" in project.command("provenance")
    project.study(**keys, parameters={"i": {"range": [0, 50]}})
    project.run("-j1", code=7)
    assert [row["ph_start"] for row in project.table().to_dicts() if row["ph_index"] >= 45] == ["warm"] * 5
    said = project.command("rerun", "--cold", "--where", "i=3", code=7)
    assert "drawn: first" in said, "random numbers differ"
    assert "value: first" not in said
