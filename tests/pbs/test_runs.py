"""Whole runs on a TORQUE and an OpenPBS that are stand-ins: their jobs really run, here."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from typing import Any

import pytest

from pbs.conftest import Site
from schedulers.captured import cases

WORK = """
    sleep "$2"
    echo "{\\"twice\\": $((2 * $1))}"
"""
VERSIONS = {"torque": "6.1.3", "openpbs": "23.06.06"}


def study(site: Site, tasks: int = 24, seconds: float = 0.02, **more: Any) -> None:
    site.project.write(work_sh=WORK)
    site.project.study(
        command=f"sh work.sh {{n}} {seconds}",
        parameters={"n": {"range": [tasks]}},
        resources={"time": "1 min", "memory": "50 MB"},
        cluster={"max_jobs": 2},
        **more,
    )


def run(site: Site, *words: str, code: int = 0) -> str:
    return site.project.run("--site", "mine", *words, code=code)


def check(site: Site, tasks: int = 24) -> None:
    """The table is complete and right."""
    assert site.project.rows("n", "twice") == [(n, 2 * n) for n in range(tasks)], site.story()


def captured(site: Site, name: str) -> dict[str, Any]:
    """Return a mood that says what a real server said."""
    answer = cases(VERSIONS[site.dialect])[name].answer
    return {"stdout": answer.stdout, "stderr": answer.stderr, "status": answer.status}


def test_the_stand_in_says_that_it_is_one(site: Site) -> None:
    said = subprocess.run(["qsub", "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("a stand-in")


def test_a_study_runs_to_its_table(site: Site) -> None:
    study(site)
    said = run(site)
    check(site)
    assert "24 of 24 tasks done" in said
    first, follower = site.jobs()[:2]
    assert "-h" in first["argv"]
    assert follower["after"] == ["0[]." + ("pbs01.example.org" if site.dialect == "torque" else "pbs01")]
    assert site.tokens()[:2] == ["1", "1-next"]
    submission = json.loads((site.project.directory / "waves/1/submission.json").read_text())
    assert submission["released"] >= submission["submitted"]
    assert (site.project.directory / "waves/1/owner").read_text() == submission["job"]
    logs = sorted((site.project.directory / "logs").glob("job-*.out"))
    assert [path.name for path in logs] == ["job-1-0.out", "job-1-1.out"]
    assert all('"end"' in path.read_text() for path in logs), "each element prints where Packhorse looks"


SCRIPTS = {
    "python work.py": "import json, sys\nprint(json.dumps({'twice': 2 * int(sys.argv[1])}))\n",
    "Rscript work.R": "n <- as.integer(commandArgs(TRUE)[[1]])\ncat(sprintf('{\"twice\": %d}\\n', 2L * n))\n",
}


@pytest.mark.parametrize(
    ("site", "command", "tasks"),
    [
        ("torque", "python work.py", 150),  # those that begin before the trial ends are cold
        ("openpbs", "python work.py", 150),
        pytest.param("openpbs", "Rscript work.R", 70, marks=pytest.mark.r),
    ],
    indirect=["site"],
)
def test_tasks_start_warm_in_an_element(site: Site, command: str, tasks: int) -> None:
    site.project.file(command.split()[1], SCRIPTS[command])
    site.project.study(
        command=f"{command} {{n}}",
        parameters={"n": {"range": [tasks]}},
        resources={"time": "1 min", "memory": "200 MB"},
        cluster={"max_jobs": 2},
        warm=True,  # an error where tasks cannot start warm
    )
    run(site)
    check(site, tasks)
    found = site.project.rows("ph_start")
    assert found.count("warm") >= 5, (found, site.story())
    assert "tasks start warm, in forks of a process that has" in site.project.command("provenance")


def test_a_single_job_is_enough_for_a_small_study(site: Site) -> None:
    study(site, tasks=1)
    run(site)
    check(site, 1)
    assert site.jobs()[0]["array"] == (site.dialect == "torque"), "OpenPBS knows no array of one element"


def test_what_a_wave_leaves_is_run_by_the_next_without_anybody(site: Site) -> None:
    study(site, tasks=60, seconds=0.1)
    run(site, "--detach")
    for element in site.until(lambda: len(site.running()) == 2 and site.running()):
        os.killpg(element["shell"], signal.SIGKILL)  # the node dies
    site.until((site.project.directory / "stopped.json").exists)
    assert json.loads((site.project.directory / "stopped.json").read_text())["why"] == "done"
    assert site.tokens() == ["1", "1-next", "2", "2-next"]
    site.project.command("collect", "s")
    check(site, 60)
    said = site.project.command("status", "s")
    assert "wave 2" in said


def test_a_job_whose_answer_was_lost_is_found_again(site: Site) -> None:
    study(site)
    site.mood({"takes": True, "stdout": "", "stderr": "qsub: End of File\n", "status": 11})
    said = run(site)
    assert "submission not confirmed (" in said
    check(site)
    assert site.tokens()[:2] == ["1", "1-next"], "it was not sent again"


def test_what_a_real_server_refused_is_told_and_leaves_nothing(site: Site) -> None:
    study(site)
    site.mood(captured(site, "qsub-refused-walltime-over-limit"))
    said = run(site, code=5)
    assert "the site refuses the job: the job asks for more time" in said
    assert site.jobs() == []
    run(site)
    check(site)


def test_a_continuation_that_is_refused_for_its_time_is_asked_for_once(site: Site) -> None:
    study(site)
    site.mood({"takes": True}, captured(site, "qsub-refused-walltime-over-limit"))
    said = run(site)
    assert said.count("the site refuses the continuation job") == 1
    assert "trying again" not in said
    assert site.tokens() == ["1"], "and not without its dependency, which would start it beside its wave"
    check(site)


def test_a_server_that_is_away_for_a_while_is_asked_again(site: Site) -> None:
    study(site)
    site.mood(captured(site, "qsub-server-stopped"))
    assert "trying again" in run(site)
    check(site)


def test_status_says_how_jobs_stand(site: Site) -> None:
    study(site, tasks=400, seconds=0.1)
    run(site, "--detach")
    site.until(site.running)
    said = site.project.command("status", "s")
    assert "2 jobs running on n01" in said
    (site.folder / "away").touch()
    site.until(lambda: "no reply from the scheduler" in site.project.command("status", "s"), 10)
    (site.folder / "away").unlink()
    said = site.project.command("cancel", "s")
    assert "cancel" in said
    site.until(lambda: not site.running())
    assert len(site.jobs()) == 2, "a wave, and what would have followed it"
    stand = site.until(lambda: (s := site.project.command("status", "s")) and "cancelled" in s and s)
    assert "400" in stand


@pytest.mark.parametrize("site", ["torque"], indirect=True)
def test_done_is_done_whatever_the_server_says(site: Site) -> None:
    study(site, tasks=4)
    run(site)
    site.dead(1000, "0[1].pbs01.example.org")  # that its element runs for ever
    assert "s: done, 4 of 4 tasks done" in site.project.command("status", "s")
    (site.folder / "dead.json").unlink()
    # A wave that was planned while a worker of the wave before, which counted as lost, was still at work.
    waves = site.project.directory / "waves"
    shutil.copytree(waves / "1", waves / "2")
    for name, changes in (("plan", {"wave": 2, "follows": 1}), ("submission", {"wave": 2, "job": "9.pbs01"})):
        path = waves / "2" / f"{name}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    assert "s: done, 4 of 4 tasks done" in site.project.command("status", "s")
    (site.folder / "away").touch()
    site.until(
        lambda: "no reply" in (said := site.project.command("status", "s")) and "s: done, 4 of 4" in said
    )


@pytest.mark.parametrize("site", ["torque"], indirect=True)
def test_cancel_says_what_remains_on_a_node_that_does_not_answer(site: Site) -> None:
    study(site, tasks=400, seconds=0.1)
    run(site, "--detach")
    site.until(lambda: len(site.running()) == 2)
    job = json.loads((site.project.directory / "waves/1/submission.json").read_text())["job"]
    element = job.replace("[]", "[1]")
    site.dead(0, element)
    said = site.project.command("cancel", "s", code=5)
    assert f"1 job did not end: {element} on n02: the node of the job does not answer" in said
    assert "a worker that still runs there ends by itself; the site's staff can remove the job (qdel " in said
    site.until(lambda: not site.running())  # the worker has seen that the run was cancelled


@pytest.mark.parametrize("site", ["torque"], indirect=True)
def test_a_dead_node_does_not_hold_up_the_rest(site: Site) -> None:
    study(site, tasks=60, seconds=0.3)
    run(site, "--detach")
    elements = site.until(lambda: len(site.running()) == 2 and site.running())
    job = json.loads((site.project.directory / "waves/1/submission.json").read_text())["job"]
    journals = site.project.directory / "journal"
    site.until(lambda: any(b'"index":' in path.read_bytes() for path in journals.glob("1-1-*.ndjson")))
    os.killpg(elements[1]["shell"], signal.SIGKILL)
    site.dead(1000, job.replace("[]", "[1]"))
    said = site.until(lambda: (s := site.project.command("status", "s")) and "is lost" in s and s)
    assert f"job {job.replace('[]', '[1]')} is lost: its time is over and its node n02 is down" in said
    assert "the run command submits the next wave in its place: packhorse run" in site.until(
        lambda: (s := site.project.command("status", "s")) and "in its place" in s and s
    )
    said = run(site)
    assert "can never start: it waits for another job to end; this command does its work" in said
    check(site, 60)


def test_a_wave_that_somebody_deletes_is_followed_by_none(site: Site) -> None:
    study(site, tasks=400, seconds=0.1)
    run(site, "--detach")
    site.until(lambda: len(site.running()) == 2)
    job = json.loads((site.project.directory / "waves/1/submission.json").read_text())["job"]
    subprocess.run(["qdel", job], check=True)
    site.until((site.project.directory / "stopped.json").exists)
    assert json.loads((site.project.directory / "stopped.json").read_text())["why"] == "cancelled"
    assert site.tokens() == ["1", "1-next"]


def test_failed_tasks_run_again_when_they_are_told_to(site: Site) -> None:
    study(site)
    site.project.write(
        work_py="""
        import json, pathlib, sys
        n = int(sys.argv[1])
        if n == 7 and not pathlib.Path(sys.argv[3]).exists():
            sys.exit("not yet")
        print(json.dumps({"twice": 2 * n}))
        """
    )
    mark = site.folder / "mark"
    site.project.study(
        command=f"python work.py {{n}} 0 {mark}", parameters={"n": {"range": [24]}}, cluster={"max_jobs": 2}
    )
    run(site, code=7)
    mark.touch()
    site.project.command("retry", "s")
    check(site)
    assert "2" in site.tokens()


def test_a_run_that_died_before_its_wave_was_released_is_finished_by_the_next(site: Site) -> None:
    study(site)
    site.mood({"takes": True}, {"hangs": True})
    first = site.project.start("run", "study.yaml", "--site", "mine")
    site.until(lambda: site.jobs() and (site.folder / "moods.json").read_text() == "[]")
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    (held,) = site.jobs()
    assert held["held"]
    assert "qrls" in site.project.command("status", "s")
    run(site)
    check(site)
    assert site.tokens()[:2] == ["1", "1-next"]


@pytest.mark.parametrize("site", ["torque"], indirect=True)
def test_later_waves_are_queued_beforehand_where_jobs_may_not_submit(site: Site) -> None:
    study(site, tasks=40, seconds=0.1)
    path = site.project.path / "packhorse-sites/mine.yaml"
    path.write_text(path.read_text() + "compute_submits: false\n")
    run(site, "--detach")
    assert [job["held"] for job in site.jobs()] == [False] * 4
    for element in site.until(lambda: len(site.running()) == 2 and site.running()):
        os.killpg(element["shell"], signal.SIGKILL)
    site.until((site.project.directory / "stopped.json").exists)
    site.project.command("collect", "s")
    check(site, 40)


SCRIPT = """#!/bin/bash
#PBS -N fit
#PBS -l walltime=00:20:00
cd "$PBS_O_WORKDIR" && echo fitting
test ! -e slow || sleep 600
"""


def test_jobs_that_were_sent_by_hand_are_listed_cancelled_and_read(site: Site) -> None:
    study(site, tasks=400, seconds=0.1)
    run(site, "--detach")
    folder = site.project.path
    (folder / "slow").touch()
    site.project.file("fit.sh", SCRIPT)
    for words in ([], ["-h"], ["-J0-1" if site.dialect == "openpbs" else "-t0-1"]):
        subprocess.run(["qsub", *words, "fit.sh"], cwd=folder, check=True, capture_output=True)
    site.until(lambda: len(site.running()) == 4)
    command = site.project.command
    said = command("jobs", "mine")
    assert "(run s)" in said
    assert re.search(r"s-next \(run s\) +dependent +it waits for another job to end", said)
    assert re.search(r"3\.pbs01\S* +fit +held +it is held", said)
    assert "is written when it ends" in command("logs", "mine:2")
    assert "has not started" in command("logs", "mine:3")
    assert "cancelled job 3" in command("cancel", "mine:3")
    assert "cancelled job 4" in command("cancel", "mine:4"), "an array, without its brackets"
    (folder / "slow").unlink()
    assert "cancelled job 2" in command("cancel", "mine:2")
    site.until(lambda: len(site.running()) == 2)
    assert "fitting" in command("logs", "mine:2")
    assert "batch" in command("queues", "mine")
    assert "is not a job number of " in command("cancel", "mine:2_1", code=2)
    assert "fit" in command("jobs", "mine", "--ended")
