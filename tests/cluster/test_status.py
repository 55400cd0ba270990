"""What `packhorse status` says of runs on a real Slurm: words that a person understands, and what to type next."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from cluster.study import Project
from cluster.test_faults import workers
from cluster.testbed import Cluster


def test_a_job_that_waits_says_why_and_who_is_needed(cluster: Cluster) -> None:
    project = Project(cluster, tasks=20, more='cluster: {options: ["--begin=now+1hour"]}')
    job = project.detach()["job"]
    status = project.status()
    assert status["state"] == "waiting"
    assert status["jobs"]["needs"] == ""
    assert status["jobs"]["start"]
    project.until("Slurm has looked at it", lambda: "job waiting (its earliest start" in project.told())
    assert "expected to start at 20" in project.told()
    held = cluster.run("alice", ["scontrol", "uhold", job])  # as a user, where she runs the cluster
    assert held.returncode == 0, held.stderr
    project.until("it is seen that it is held", lambda: project.status()["jobs"]["needs"])
    assert f"(it is held); action required: scontrol release {job} releases it" in project.told()
    assert cluster.run("alice", ["scontrol", "release", job]).returncode == 0
    project.until("it waits for its time again", lambda: not project.status()["jobs"]["needs"])
    assert project.packhorse("cancel", "work").returncode == 0
    project.until("it is seen that it is cancelled", lambda: project.status()["state"] == "cancelled")
    assert "packhorse run study.yaml --site testbed runs what is missing" in project.told()


def test_a_continuation_that_can_never_start_is_replaced_by_who_watches(cluster: Cluster) -> None:
    with cluster.partition("minute"):
        project = Project(cluster, tasks=40, seconds=0.2)
        project.detach()
        project.until("tasks are being done", lambda: project.records() > 2)
        after = project.submission()["continuation"]
        cluster.ask("scontrol", "update", f"jobid={after}", "partition=minute")
        cluster.ask("scontrol", "update", "partition=minute", "maxtime=1")
        os.kill(workers(project)[0], signal.SIGKILL)
        project.until("the wave has ended", lambda: project.status()["jobs"]["needs"], 90)
        assert "so it will never start" in project.told()
        assert "packhorse run study.yaml --site testbed" in project.status()["jobs"]["needs"]
        project.hurry()
        said = project.packhorse("run", "study.yaml", "--site", "testbed")
        assert said.returncode == 0, said.stderr
        assert f"the job that submits the next wave ({after}) can never start" in said.stderr
        assert project.waves() == [1, 2]
        project.check()
        assert after not in cluster.ask("squeue", "--noheader", "--format=%A").split()


def test_a_run_in_a_partition_of_two_minutes_goes_on_by_itself(cluster: Cluster) -> None:
    text = "title: t\nscheduler: slurm\npartitions: {quick: {default: true, nodes: 4, cores: 8, memory: 16000 MiB, max_time: 2 min}}\n"
    with cluster.partition("quick", "MaxTime=2"):
        project = Project(cluster, tasks=40, seconds=0.2, site="brief")
        project.write("packhorse-sites/brief.yaml", text + "poll: 1 s\nlatency: 1 s\n")
        project.detach()
        project.until("tasks are being done", lambda: project.records() > 2)
        os.kill(workers(project)[0], signal.SIGKILL)
        project.hurry()
        project.until_over()
        assert (project.stopped()["why"], project.waves()) == ("done", [1, 2])


def test_jobs_that_run_say_where_and_how_many_tasks_at_a_time(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.02)
    project.detach()
    project.until("some tasks are done", lambda: project.records() > 100)
    project.until("it is seen that it runs", lambda: project.status()["state"] == "running")
    sent, jobs = project.submission(), project.status()["jobs"]
    assert jobs["at_a_time"] == jobs["running"] * sent["slots"]
    line = next(row for row in project.told().splitlines() if "testbed:" in row)
    assert f" running on {cluster.node('n')}" in line
    assert f"{sent['elements'] * sent['slots']} tasks at a time" in line
    project.hurry()
    project.until_over()
    assert project.status()["jobs"]["hint"] == ""


def test_waves_say_why_there_was_another(cluster: Cluster) -> None:
    mischief = "block = bytearray((160 if i == 7 else 1) << 20); block[::4096] = b'x' * len(block[::4096]); time.sleep(i == 7)"
    project = Project(cluster, tasks=200, more="resources: {memory: 100 MB}", mischief=mischief)
    project.detach()
    project.until_over()
    told = project.told()
    first, second = project.status()["jobs"]["waves"][:2]
    assert (first["counts"], second["counts"]) == ({"OK": 199, "MEMORY": 1}, {"OK": 1})
    assert f"wave 1: 200 tasks in {first['jobs']} job" in told
    assert "199 done, 1 out of memory" in told
    assert "since 1 task ran out of memory: 1 done" in told


def test_who_cancelled_is_said(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.03)
    project.detach()
    project.until("some tasks are done", lambda: project.records() > 100)
    job = project.submission()["job"]
    assert cluster.run("alice", ["scancel", job]).returncode == 0
    project.until_over()
    project.until("its jobs are gone", lambda: project.status()["state"] == "cancelled")
    if cluster.accounting:
        project.until("the accounting has it", lambda: "cancelled by you" in project.told(), 30)
    told = project.told()
    assert "cancelled: jobs of wave 1 were cancelled" in told
    assert "packhorse run study.yaml --site testbed runs what is missing" in told


def test_a_module_that_is_not_there_is_told_in_its_own_words(cluster: Cluster) -> None:
    project = Project(cluster, tasks=20, more="cluster: {modules: [r/4.5.1]}")
    done = project.packhorse("run", "study.yaml", "--site", "testbed")
    assert done.returncode == 7, (done.stdout, done.stderr)
    assert "waves in a row had no new result" in done.stderr
    assert "; correct the cause, then packhorse run study.yaml --site testbed" in done.stderr
    # The job that wrote why the run is over may still be ending.
    project.until(
        "no job is left", lambda: "no worker started in a job; output of one job: " in project.told(), 30
    )
    assert "module: command not found" in project.told()


def test_a_retry_uses_the_site_of_the_run(cluster: Cluster) -> None:
    """The site is named by a file, which is gone when the failed tasks are to run again."""
    project = Project(cluster, tasks=20, mischief="assert i != 3 or os.path.exists(FLAG)")
    flag = project.folder / "mended"
    project.write("work.py", (project.folder / "work.py").read_text().replace("FLAG", repr(str(flag))))
    site = project.write("elsewhere.yaml", "extends: testbed\npartitions: {general: {max_time: 2 h}}\n")
    done = project.packhorse(
        "run", "study.yaml", "--site", "./elsewhere.yaml", "--account", "lab", "--partition", "debug"
    )
    assert done.returncode == 7, done.stderr
    assert "packhorse retry work runs them again" in project.told()
    site.unlink()
    flag.touch()
    done = project.packhorse("retry", "work", "--json")
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert json.loads(done.stdout.splitlines()[-1])["failed"] == 0
    again = project.submission(project.waves()[-1])
    assert (again["site"], again["partition"]) == ("elsewhere", "debug")
    assert "--account=lab" in (project.path / "waves/job-base.sh").read_text()
    kept = json.loads((project.path / "cluster.json").read_text())["chosen"]
    assert kept == {"site": "./elsewhere.yaml", "account": "lab", "partition": "debug"}
    project.check()


@pytest.mark.parametrize("cure", ["release", "cancel"])
def test_a_job_that_could_not_be_started_says_who_is_needed_and_goes_on(cluster: Cluster, cure: str) -> None:
    """Its node has no place for it (a file where slurmd's folder should be), so Slurm puts it back and holds it."""
    node = cluster.node("n2")
    project = Project(cluster, tasks=200, more=f"cluster: {{options: ['--nodelist={node}']}}")
    spool = cluster.directory / "spool" / node
    away = spool.rename(spool.with_name("away"))
    spool.touch()
    try:
        job = project.detach()["job"]
        project.until("all of it is held", lambda: "(it could not be started and is held);" in project.told())
    finally:
        spool.unlink()
        away.rename(spool)
    assert f"action required: scontrol release {job} releases it" in project.told()
    if cure == "release":
        released = cluster.run("alice", ["scontrol", "release", job])
        assert released.returncode == 0, released.stderr
        project.until_over()
        project.collect()
        assert project.waves() == [1]
    else:
        assert project.packhorse("cancel", "work").returncode == 0
        project.run()
        project.check()
        assert project.waves() == [1, 2]


def test_jobs_that_slurm_has_forgotten_are_lost_and_the_run_goes_on(cluster: Cluster) -> None:
    """As when slurmctld dies before it has written down that it took them: what it had written before is put back."""
    state, before = cluster.directory / "state", cluster.directory / "before"
    project = Project(cluster, tasks=200)
    cluster.ask("scontrol", "update", "partitionname=general", "state=down")
    try:
        subprocess.run(["cp", "--archive", state, before], check=True)
        project.detach()
        assert project.status()["state"] == "waiting"
        cluster.kill("slurmctld")
        shutil.rmtree(state)
        before.rename(state)
        cluster.start("slurmctld")
        cluster.until("slurmctld answers", lambda: cluster.run("alice", ["scontrol", "ping"]).returncode == 0)
    finally:
        shutil.rmtree(before, ignore_errors=True)
        cluster.ask("scontrol", "update", "partitionname=general", "state=up")
    project.until("it is seen that they are lost", lambda: project.status()["state"] == "lost")
    assert "packhorse run study.yaml --site testbed" in project.told()
    project.run()
    project.check()


def test_jobs_killed_for_memory_are_told_by_every_command(cluster: Cluster) -> None:
    # The message stands in for a Slurm without control groups, whose slurmstepd kills the job and prints it.
    killed = "cluster: {setup: [\"echo 'slurmstepd: error: Exceeded job memory limit'; kill -9 $$\"]}"
    project = Project(cluster, tasks=20, more=f"resources: {{memory: 50 MB}}\n{killed}")
    done = project.packhorse("run", "study.yaml", "--site", "testbed")
    assert done.returncode != 0
    for said in (done.stderr, project.told(), project.packhorse("logs", "work").stdout):
        assert "their jobs were killed for memory: each had" in said, said
        assert "  resources:\n" in said
        assert re.search(r"memory: \d+ MB\n", said)
        assert "then: packhorse run study.yaml --site testbed" in said
    assert "no task failed; 20 tasks without a result" in project.packhorse("logs", "work").stdout


def test_the_scheduler_s_count_of_memory_is_in_the_advice(cluster: Cluster) -> None:
    if not cluster.accounting:
        pytest.skip("the cluster has no accounting")
    # Seconds, so that Slurm samples the job; the memory belongs to the job and to no task of it.
    held = "python3 -c 'import time; kept = b\"x\" * 300_000_000; time.sleep(30)' & sleep 4"
    project = Project(
        cluster,
        tasks=1,
        more=f"resources: {{memory: 500 MB, cpus: 1}}\ncluster: {{setup: [{json.dumps(held)}]}}",
    )
    project.run()
    project.until(
        "the accounting has it",
        lambda: "the scheduler counted" in project.packhorse("efficiency", "work").stdout,
    )
    said = json.loads(project.packhorse("efficiency", "work", "--json").stdout)
    (wave,) = said["waves"]
    assert wave["counted"] >= 290 > wave["used"]["peak"] / 1024
    assert said["next"]["memory"] >= 290
