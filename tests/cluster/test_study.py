"""Studies on a real Slurm: the same table as here, few files, few questions, and words that a person understands."""

from __future__ import annotations

import csv
import json
import shutil
import time
from pathlib import Path

import pytest

from cluster.study import Project
from cluster.testbed import ROOT, Cluster

# What depends on when and where a task ran.
TIMINGS = {"ph_wave", "ph_host", "ph_begin", "ph_wall", "ph_cpu", "ph_memory", "ph_start"}


def table(path: Path) -> list[dict[str, str]]:
    """Return a table without what depends on when and where tasks ran, every value as it is written."""
    with path.open(newline="") as stream:
        rows = [{k: v for k, v in row.items() if k not in TIMINGS} for row in csv.DictReader(stream)]
    assert rows
    return rows


def test_the_coverage_example_has_the_table_that_it_has_here(cluster: Cluster) -> None:
    folder = cluster.workspace("alice") / "coverage"
    shutil.copytree(ROOT / "examples/coverage", folder, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    cluster.give("alice", folder, *folder.rglob("*"))
    argv = ["packhorse", "run", "study.yaml", "--json"]
    there = cluster.run("alice", [*argv, "--site", "testbed"], cwd=folder)
    assert there.returncode == 0, there.stderr
    said = json.loads(there.stdout.splitlines()[-1])
    assert (said["tasks"], said["done"], said["failed"]) == (9_600, 9_600, 0)
    here = cluster.run("alice", [*argv, "--run", "runs/here"], cwd=folder, timeout=300)
    assert here.returncode == 0, here.stderr
    assert table(folder / "runs/coverage/results.csv") == table(folder / "runs/here/results.csv")
    journals = list((folder / "runs/coverage/journal").glob("*.ndjson"))
    submission = json.loads((folder / "runs/coverage/waves/1/submission.json").read_text())
    assert len(cluster.nodes_of(submission["job"])) > 1  # several nodes took part
    if not cluster.one_user:  # else they all have this machine's name
        names = {name.replace("-", "_") for name in cluster.nodes_of(submission["job"])}
        assert {path.name.split("-")[3] for path in journals} == names


def test_a_hundred_thousand_tasks_need_few_files(cluster: Cluster) -> None:
    project = Project(cluster, tasks=100_000, seconds=0)
    process = project.start()
    most = [0]

    def over() -> bool:
        folders = ("journal", "logs", "waves/1/leases", "artifacts")
        most.append(sum(1 for name in folders for path in (project.path / name).rglob("*") if path.is_file()))
        return process.poll() is not None

    project.until("the run is over", over, 240)
    project.end(process)
    project.check()
    assert 1 < max(most) <= 16 * project.submission()["elements"]
    assert project.waves() == [1]
    files = [path for path in project.path.rglob("*") if path.is_file()]
    assert len(files) <= 40, sorted(map(str, files))


def test_a_run_goes_on_without_anybody(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.01)
    said = project.detach()
    assert said["job"] == project.submission()["job"]
    status = project.status()
    assert status["state"] in ("waiting", "running")
    again = project.detach()
    assert again["joined"]
    assert again["job"] == said["job"]
    project.until_over()
    assert project.stopped()["why"] == "done"
    status = project.status()
    assert (status["state"], status["done"], status["missing"]) == ("done", project.tasks, 0)
    project.collect()
    assert not project.jobs()


def test_a_cancelled_run_submits_nothing_more_and_can_go_on(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.02)
    project.detach()
    project.until("some tasks are done", lambda: project.records() > 100)
    done = project.packhorse("cancel", "work")
    assert done.returncode == 0, done.stderr
    project.until("its jobs are gone", lambda: not project.jobs())
    assert project.status()["state"] == "cancelled"
    assert project.waves() == [1]
    kept = project.records()
    assert 100 < kept < project.tasks
    project.hurry()
    project.run()
    project.check()
    assert project.status()["state"] == "done"


def test_the_scheduler_is_asked_once_for_all(cluster: Cluster) -> None:
    """A program that counts stands before the real squeue on PATH, and hands every call on to it."""
    project = Project(cluster, seconds=0.01, site="slower")
    project.write("packhorse-sites/slower.yaml", "extends: testbed\npoll: 2 s\n")
    counts = project.write("asked", "")
    for name in ("squeue", "sacct", "sbatch", "scancel", "scontrol"):
        real = shutil.which(name)
        project.write(f"bin/{name}", f'#!/bin/sh\necho {name} >> {counts}\nexec {real} "$@"\n', 0o755)
    path = f"{project.folder / 'bin'}:{cluster.environment('alice')['PATH']}"
    begun = time.monotonic()
    first = project.start(env={"PATH": path})
    project.until("the jobs are submitted", lambda: "sbatch" in counts.read_text())
    for _ in range(10):
        project.packhorse("status", "work", env={"PATH": path})
    project.end(first)
    project.check()
    asked = counts.read_text().split()
    assert asked.count("sbatch") == 2  # the wave and what follows it
    assert asked.count("scancel") <= 1
    assert asked.count("sacct") + asked.count("scontrol") == 0
    # The site says every two seconds; a submission or a cancellation makes the answer old at once.
    assert asked.count("squeue") <= (time.monotonic() - begun) / 2 + 3


def test_mails_tell_that_the_run_began_and_how_it_ended(cluster: Cluster) -> None:
    before = len(cluster.mails())
    project = Project(
        cluster,
        more="cluster: {mail: alice@example.org, mail_when: [begin, end, fail]}",
        mischief="assert i != 17, 'unlucky'",
    )
    project.detach()
    project.until_over()
    project.until("the mails are sent", lambda: len(cluster.mails()) > before + 1)
    project.until("its jobs are gone", lambda: not project.jobs())
    began, ended = cluster.mails()[before:]
    assert "To: alice@example.org" in began
    assert "Name=work: began Began" in began
    assert "work: 4999 of 5000 tasks succeeded, 1 failed" in ended
    assert "FAILED" in ended.splitlines()[1], "the subject says how the study ended"
    assert "COMPLETED" not in ended


def test_a_script_runs_once_on_the_cluster_and_brings_home_what_it_wrote(cluster: Cluster) -> None:
    project = Project(cluster)
    script = "import sys\nprint('hello from the script', sys.argv[1])\nopen('out.txt', 'w').write('kept')\n"
    project.write("sim.py", script)
    done = project.packhorse("run", "--site", "testbed", "sim.py", "17")
    assert done.returncode == 0, done.stderr
    assert "hello from the script 17" in done.stdout
    assert "files written: out.txt" in done.stdout
    assert (project.folder / "runs/sim-1/artifacts/0/out.txt").read_text() == "kept"


@pytest.mark.campaign
def test_more_work_than_a_job_may_take_goes_on_in_the_next_wave(cluster: Cluster) -> None:
    project = Project(cluster, tasks=3_000, seconds=0.3, more="cluster: {job_time: 2 min}")
    project.detach()
    project.until_over(300)
    assert project.stopped()["why"] == "done"
    project.collect()
    assert len(project.waves()) > 1
    ends = [path.read_text().splitlines()[-1] for path in project.journals(1)]
    assert all('"end":"deadline"' in end for end in ends), ends  # not one was cut off by Slurm


@pytest.mark.campaign
def test_a_task_longer_than_any_job_goes_on_from_its_checkpoint(cluster: Cluster) -> None:
    project = Project(cluster, tasks=2, more="checkpoint: true\ncluster: {job_time: 2 min}")
    project.write(
        "work.py",
        """
import time
from packhorse import task

def work(i, seed):
    place = task.checkpoint / "steps"
    done = int(place.read_text()) if place.exists() else 0
    while done < 210:
        time.sleep(1)
        done += 1
        place.with_suffix(".new").write_text(str(done))
        place.with_suffix(".new").replace(place)
    return {"twice": i * 2, "half": i / 2, "said": seed}
""",
    )
    project.detach()
    project.until_over(400)
    assert project.stopped()["why"] == "done"
    project.collect()
    assert len(project.waves()) >= 3


def test_a_study_from_python_runs_on_the_cluster_without_python(cluster: Cluster) -> None:
    project = Project(cluster, tasks=20)
    project.write(
        "drive.py",
        """
import packhorse, work

if __name__ == "__main__":
    study = packhorse.Study(name="work", function=work.work, parameters={"i": range(20)}, seed=3)
    run = study.run(site="testbed", detach=True, job_time="5 min", progress=False)
    print(run.outcome.job.isdigit(), run.wait(240).status()["state"], sum(run.results()["twice"]))
    print(sorted(set(run.tasks()["state"])))
""",
    )
    done = cluster.run(project.user, ["python3", "drive.py"], cwd=project.folder)
    assert done.stdout == "True done 380\n['OK']\n", done.stderr
