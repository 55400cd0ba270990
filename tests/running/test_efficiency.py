"""`packhorse efficiency` on runs of the installed command."""

from __future__ import annotations

import json

import pytest

from packhorse.model.submission import Submission
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from running.project import Project, until

# Ten megabytes for even tasks, two hundred for odd ones, which fail for want of memory at first.
SIM = """
    import json, sys, time

    kept = bytearray((200 if int(sys.argv[1]) % 2 else 10) * 1_000_000)
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    time.sleep(0.5)  # long enough for the memory limit to be seen
    print(json.dumps({"x": len(kept)}))
"""


def test_each_wave_is_told_apart_and_the_request_fits(project: Project) -> None:
    project.write(sim_py=SIM).study(
        command="python sim.py {i}",
        parameters={"i": [0, 1, 2, 3]},
        resources={"cpus": 1, "memory": "150 MB", "time": "5 min"},
    )
    project.command("run", code=7)
    assert "--memory 2x" in project.command("status"), "what they lacked, not only that they failed"
    project.command("retry", "--memory", "2x")
    said = json.loads(project.command("efficiency", "--json"))
    first, second = said["waves"]
    assert (first["given"]["memory"], second["given"]["memory"]) == (150, 300)
    assert (first["used"]["attempts"], first["used"]["over_memory"], first["used"]["ok"]) == (4, 2, 2)
    assert (second["used"]["attempts"], second["used"]["over_memory"], second["used"]["ok"]) == (2, 0, 2)
    assert second["used"]["peak"] > 200_000_000 / 1024
    for wave in (first, second):
        assert (wave["workers"], wave["open"]) == (1, 0)
        assert 0 < wave["cpu_share"] < wave["busy_share"] <= 1
        assert wave["used"]["longest"] <= wave["longest"]
    assert said["next"]["cpus"] == 1
    assert said["next"]["memory"] >= 300, "twice what was too little"
    assert said["asked"]["memory"] == 300, "as its last wave did"


def test_the_printed_request_is_a_study_s(project: Project) -> None:
    project.write(sim_py="print('{\"x\": 1}')").study(command="python sim.py {i}", parameters={"i": [0, 1]})
    project.command("run")
    said = json.loads(project.command("efficiency", "--json"))["next"]
    request = project.command("efficiency").partition("next time:\n")[2]
    (project.path / "request.yaml").write_text(
        "name: again\ncommand: python sim.py {i}\nparameters: {i: [5]}\n"
        + "\n".join(row.removeprefix("  ") for row in request.splitlines())
    )
    project.command("run", "request.yaml")
    study = json.loads((project.path / "runs" / "again" / "study.json").read_text())["resources"]
    assert study.get("cpus", 1) == said["cpus"]
    assert (study["memory"], study["time"], study["expected"]) == (
        said["memory"],
        said["time"],
        said["expected"],
    )


def test_before_anything_ended_it_says_so(project: Project) -> None:
    project.write(sim_py="import time; time.sleep(60)").study(
        command="python sim.py {i}", parameters={"i": [0, 1]}
    )
    running = project.start("run")
    try:
        until(lambda: list((project.path / "runs" / "s" / "journal").glob("*.ndjson")))
        assert "no task" in project.command("efficiency", code=None)
    finally:
        running.terminate()
        running.communicate(timeout=60)


def test_a_job_s_cores_and_time_are_those_of_its_submission(project: Project) -> None:
    # The record of a submission, as a run on a cluster keeps it, beside a wave of this machine.
    project.write(sim_py="print('{\"x\": 1}')").study(command="python sim.py {i}", parameters={"i": [0, 1]})
    project.command("run")
    alone = json.loads(project.command("efficiency", "--json"))["waves"][0]
    said = Submission(wave=1, site="testbed", token="t", elements=1, slots=2, cores=8, seconds=3600)
    Submissions(RunDirectory(project.path / "runs" / "s")).keep(said)
    (wave,) = json.loads(project.command("efficiency", "--json"))["waves"]
    assert (wave["given"]["cores"], wave["given"]["seconds"]) == (8, 3600)
    assert wave["held"] == pytest.approx(8 * alone["longest"])
    assert "jobs requested 1 h and took at most" in project.command("efficiency")
