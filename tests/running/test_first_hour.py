"""What a new user types in the first hour, and what must not go wrong in silence."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest

from packhorse.cli.runs.run import _with_site
from packhorse.model.errors import UsageError
from packhorse.project.sites import site_here
from running.project import PACKHORSE, Project

SIM = "print('{\"x\": 1}')"


def resources(folder: Path) -> dict[str, object]:
    work: dict[str, object] = json.loads((folder / "waves" / "1" / "work.json").read_text())
    return {name: work[name] for name in ("cpus", "memory")}


def test_a_request_is_typed_for_run_and_map(project: Project) -> None:
    project.write(sim_py=SIM).study(
        command="python sim.py {i}", parameters={"i": [0]}, resources={"memory": "1 GB"}
    )
    project.run("--cores", "2", "--memory", "500 MB")
    assert resources(project.directory) == {"cpus": 2, "memory": 500}
    project.command("map", "python sim.py {i}", "i=0", "--cores", "2", "--name", "m")
    assert resources(project.path / "runs" / "m") == {"cpus": 2, "memory": None}
    project.command("run", "--cores", "2", "sim.py")
    assert resources(project.path / "runs" / "sim-1") == {"cpus": 2, "memory": None}
    assert "has no unit" in project.run("--memory", "2", code=3)


def test_a_site_after_the_script_is_for_packhorse() -> None:
    assert _with_site(("--n", "5", "--site", "hec", "-v")) == (("--n", "5", "-v"), {"site": "hec"})
    assert _with_site(("--site=testbed",)) == ((), {"site": "testbed"})
    for own in (("--site", "left"), ("--website", "hec"), ("--site",), ("a", "--n=5")):
        assert _with_site(own) == (own, {})
    assert _with_site(("--", "--site", "hec")) == (("--site", "hec"), {})


def test_where_there_is_no_login_node_a_site_must_be_named(tmp_path: Path) -> None:
    (tmp_path / "packhorse-sites").mkdir()
    (tmp_path / "packhorse-sites" / "ant.yaml").write_text("scheduler: slurm\nhosts: no-such-host\n")
    with pytest.raises(UsageError, match="name one with --site NAME"):
        site_here(tmp_path, "--site NAME")
    (tmp_path / "packhorse-sites" / "ant.yaml").write_text(f"scheduler: slurm\nhosts: '{platform.node()}'\n")
    assert site_here(tmp_path, "--site NAME") == "ant"


def test_the_plan_of_a_finished_study_says_so(project: Project) -> None:
    project.write(sim_py=SIM).study(command="python sim.py {i}", parameters={"i": [0, 1]}).run()
    said = project.command("plan", "study.yaml")
    assert "2 done, 0 failed, 0 to run" in said
    assert "next: packhorse summary s; no task is left to run" in said
    assert "estimated" not in said


def test_cancel_without_a_run_names_what_it_would_stop(project: Project) -> None:
    project.write(sim_py=SIM).study(command="python sim.py {i}", parameters={"i": [0]}).run()
    said = project.command("cancel", code=2)
    assert "the newest one here is s" in said
    assert "packhorse cancel s" in said


def test_a_check_that_is_not_installed_is_not_a_fault_of_the_code(project: Project) -> None:
    project.write(sim_py=SIM).study(
        command="python sim.py {i}", parameters={"i": [0]}, checks=["python -m no_such_runner -q"]
    )
    said = project.run(code=6)
    assert "needs no_such_runner, which is not installed" in said
    assert "-m pip install no_such_runner" in said
    assert "correct the code" not in said


def test_output_may_go_to_a_file_that_the_command_may_not_open(project: Project, tmp_path: Path) -> None:
    """As with `sudo -u ann packhorse run study.yaml > log`, where the log is in a folder of another user."""
    project.study(command="echo {n}", parameters={"n": [1, 2]})
    folder = tmp_path / "closed"
    folder.mkdir()
    others: list[str] = []
    if os.geteuid() == 0:  # root may open everything, but not without these
        others = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    with (folder / "log").open("w+") as log:
        folder.chmod(0)
        try:
            argv = [*others, PACKHORSE, "run", "study.yaml"]
            done = subprocess.run(argv, cwd=project.path, stdout=log, stderr=log, timeout=90, check=False)
        finally:
            folder.chmod(0o700)
        log.seek(0)
        assert (done.returncode, "2 of 2 tasks done" in log.read()) == (0, True)
