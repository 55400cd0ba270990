"""What goes wrong on clusters, done to a real one: each run ends with a complete and correct table, and nobody helps."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cluster.study import Project
from cluster.testbed import Cluster


def workers(project: Project) -> list[int]:
    """Return the processes of this project's workers on all nodes, which are all on this machine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                argv = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"work" in argv and any(str(project.path).encode() in word for word in argv):
                found.append(int(entry.name))
    return found


def busy(project: Project, tasks: int = 200) -> None:
    """Wait until the run is in its middle."""
    project.until("tasks are being done", lambda: project.records() > tasks)


def remembered(cluster: Cluster) -> None:
    """Wait until slurmctld has saved that the jobs run; else it starts them a second time and drains their nodes."""
    now = time.time()
    for job in cluster.ask("squeue", "--noheader", "--states=running", "--format=%A").split():
        # It may have saved them before we looked, and saves again only when something changes.
        cluster.ask("scontrol", "update", f"jobid={job}", "requeue=1")
    cluster.until("its state is saved", lambda: cluster.saved(now), 30)


def test_a_worker_is_killed(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.01)
    project.detach()
    busy(project)
    os.kill(workers(project)[0], signal.SIGKILL)
    project.hurry()
    project.until_over()
    assert project.stopped()["why"] == "done"
    assert len(project.waves()) == 2
    project.collect()


def test_a_node_fails_with_all_that_runs_there(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.02)
    project.detach()
    busy(project)
    cluster.kill("n2")
    # Slurm sees it by itself after half a minute; somebody who says so is quicker.
    cluster.ask("scontrol", "update", f"NodeName={cluster.node('n2')}", "State=DOWN", "Reason=power")
    project.hurry()
    project.until_over(240)
    assert project.stopped()["why"] == "done"
    rows = project.collect()
    assert len(cluster.nodes_of(project.submission()["job"])) > 1
    if not cluster.one_user:  # else they all have this machine's name
        assert len({row["ph_host"] for row in rows}) > 1


def test_the_scheduler_is_away_at_the_submission(cluster: Cluster) -> None:
    project = Project(cluster)
    cluster.kill("slurmctld")
    process = project.start()
    project.until("the submission was tried", lambda: project.path.exists() or process.poll() is not None)
    time.sleep(3)  # it is away, and stays so for a while
    cluster.start("slurmctld")
    _, err = process.communicate(timeout=200)
    if process.returncode:
        assert "Traceback" not in err
        assert "the same command" in err, err
        project.run()
    project.check()


def test_the_scheduler_is_away_while_tasks_run(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.03)
    process = project.start()
    busy(project)
    remembered(cluster)
    cluster.kill("slurmctld")
    seen = project.records()
    project.until("tasks go on without it", lambda: project.records() > seen + 200)
    cluster.start("slurmctld")
    project.hurry()
    project.end(process)
    project.check()


def test_the_scheduler_is_away_when_the_wave_ends(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.03)
    project.detach()
    busy(project)
    remembered(cluster)
    cluster.kill("slurmctld")
    project.hurry()
    project.until("the wave is over", lambda: not workers(project))
    cluster.start("slurmctld")
    project.until_over()
    project.collect()


@pytest.mark.campaign
def test_the_scheduler_is_away_for_a_minute_at_every_step(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.12)
    cluster.kill("slurmctld")
    process = project.start()
    time.sleep(60)
    cluster.start("slurmctld")
    out, err = process.communicate(timeout=300)
    if process.returncode:
        assert "Traceback" not in err, (out, err)
        project.detach()
    busy(project)
    for _ in range(2):
        remembered(cluster)
        cluster.kill("slurmctld")
        time.sleep(60)  # the second time the wave ends meanwhile
        cluster.start("slurmctld")
    project.until_over(400)
    project.collect()


@pytest.mark.campaign
def test_everything_is_killed_again_and_again(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.1)
    project.detach()
    chance = random.Random(8)
    for _ in range(12):
        time.sleep(chance.uniform(0.5, 6))
        alive = workers(project)
        if alive:
            os.kill(chance.choice(alive), signal.SIGKILL)
    cluster.kill("n4")
    project.until_over(600)
    project.collect()


def test_the_scheduler_starts_an_element_again(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.02)
    project.detach()
    busy(project)
    job = project.submission()["job"]
    cluster.ask("scontrol", "requeue", f"{job}_1")
    project.until("it works again", lambda: list((project.path / "journal").glob("1-1-1-*.ndjson")))
    project.hurry()
    project.until_over()
    assert project.stopped()["why"] == "done"
    project.collect()


def test_a_task_needs_more_memory_than_it_asked_for(cluster: Cluster) -> None:
    # It lasts, since the worker looks at its tasks' memory five times a second.
    mischief = (
        "block = b'x' * ((160 if i in (7, 3000) else 1) << 20); time.sleep(1.5 if i in (7, 3000) else 0)"
    )
    project = Project(cluster, more="resources: {memory: 100 MB}", mischief=mischief)
    project.detach()
    project.until_over()
    assert project.stopped()["why"] == "done"
    project.collect()
    assert project.submission(2)["rung"] == "memory"


@pytest.mark.skipif("os.geteuid() != 0", reason="the cluster of one user is always like that")
def test_a_job_is_killed_for_memory_where_no_control_group_limits_it(cluster: Cluster) -> None:
    """Slurm then looks now and then, and kills the whole job with its worker: FAILED 0:9."""
    # Nobody said how much a task needs, so the worker keeps no limit; this one needs more than the whole job has.
    mischief = "block = b'x' * ((900 if i == 10 else 1) << 20); time.sleep(5 if i == 10 else 0)"
    with cluster.changed(memory="none"):
        project = Project(cluster, tasks=200, mischief=mischief)
        project.detach()
        project.until_over()
        assert "199 of 200 tasks succeeded, 1 ran out of memory" in project.stopped()["text"]
        project.collect(without=1)
        # What was left of the job that was killed ran with more, and only the one that needs more still is missing.
        assert project.submission(2)["rung"] == "memory"


def test_the_time_limit_comes_twice(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.12)  # slurmctld looks at time limits twice a minute
    project.detach()
    for wave in (1, 2):
        project.until(f"wave {wave} works", lambda wave=wave: project.journals(wave))
        job = project.submission(wave)["job"]
        for _ in range(20):
            done = cluster.run("alice", ["scontrol", "update", f"jobid={job}", "EndTime=now+2seconds"])
            # An element may not have started yet, and would do all the work; or it has ended, and the others have the limit.
            assert done.returncode == 0 or "Job is not running" in done.stderr, done.stderr
            if done.returncode == 0:
                break
            time.sleep(0.5)
    project.until("the third wave works", lambda: project.journals(3))
    project.hurry()
    project.until_over()
    assert project.stopped()["why"] == "done"
    project.collect()


@pytest.mark.skipif("os.geteuid() != 0", reason="without root every node has this machine's name")
def test_every_task_fails_on_one_node(cluster: Cluster) -> None:
    broken = cluster.node("n3")
    mischief = f"import socket; assert socket.gethostname() != '{broken}', 'the disk of n3 is broken'"
    project = Project(cluster, seconds=0.01, mischief=mischief)
    project.detach()
    project.until_over()
    assert project.stopped()["why"] == "done"
    rows = project.collect()
    assert broken not in {row["ph_host"] for row in rows}
    assert broken in project.submission(project.waves()[-1])["exclude"]


@pytest.mark.skipif("os.geteuid() != 0", reason="only root can mount a small disk")
def test_the_disk_of_the_run_directory_is_full(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.01)
    disk = project.folder / "runs"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=777", "tmpfs", disk], check=True)
    try:
        project.detach()
        busy(project)
        ballast = disk / "ballast"
        filled = subprocess.run(
            ["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], capture_output=True, check=False
        )
        assert b"No space left" in filled.stderr
        seen = [-1, 0, 0]

        def stuck() -> bool:
            time.sleep(1)
            seen[:] = [*seen[1:], project.records()]
            return seen[0] == seen[-1]

        project.until("nothing can be written any more", stuck)
        assert seen[-1] < project.tasks
        ballast.unlink()
        project.hurry()
        project.until_over()
        assert project.stopped()["why"] == "done"
        project.collect()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=False)


@pytest.mark.parametrize("late", [False, True])
def test_a_submission_whose_answer_is_lost(cluster: Cluster, late: bool) -> None:
    """A program before the real sbatch on PATH: it submits, at once or only later, and says that it timed out."""
    project = Project(cluster)
    real = shutil.which("sbatch")
    said = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    submit = f'{real} "$@" >/dev/null'
    if late:
        submit = f'setsid sh -c \'sleep 15; exec "$@"\' sh {real} "$@" >/dev/null 2>&1 </dev/null &'
    once = project.folder / "lost"
    project.write(
        "bin/sbatch",
        f'#!/bin/sh\nif [ -e {once} ]; then exec {real} "$@"; fi\ntouch {once}\n{submit}\necho "{said}" >&2\nexit 1\n',
        0o755,
    )
    path = f"{project.folder / 'bin'}:{cluster.environment('alice')['PATH']}"
    process = project.start(env={"PATH": path})
    project.end(process)
    project.check()
    if late:
        project.until("the late job has come and gone", lambda: not project.jobs(), 60)
        project.collect()
    assert len(project.waves()) == 1


def test_the_folder_of_logs_is_gone_when_the_jobs_start(cluster: Cluster) -> None:
    project = Project(cluster, more="cluster: {options: ['--begin=now+4seconds']}")
    project.detach()
    (project.path / "logs").rmdir()
    project.until_over()
    assert project.stopped()["why"] == "done"
    project.collect()


def test_jobs_may_not_submit_jobs_and_a_worker_is_killed(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.01, site="strict")
    project.write("packhorse-sites/strict.yaml", "extends: testbed\ncompute_submits: false\n")
    project.detach()
    assert len(project.jobs()) > 2  # this wave, and those after it that wait for it
    busy(project)
    os.kill(workers(project)[0], signal.SIGKILL)
    project.hurry()
    project.until_over()
    assert project.stopped()["why"] == "done"
    assert project.waves() == [1, 2]
    project.collect()
    project.until("what waited for nothing is gone", lambda: not project.jobs())


def test_two_runs_at_once(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.01)
    pair = [project.start(), project.start()]
    for process in pair:
        project.end(process)
    project.check()
    assert project.waves() == [1]


def test_the_user_cancels_by_scancel(cluster: Cluster) -> None:
    project = Project(cluster, seconds=0.02)
    project.detach()
    busy(project)
    done = cluster.run("alice", ["scancel", project.submission()["job"]])
    assert done.returncode == 0
    project.until_over()
    assert project.stopped()["why"] == "cancelled"
    project.until("its jobs are gone", lambda: not project.jobs())
    assert project.waves() == [1]
    project.hurry()
    project.run()
    project.check()


def test_a_job_that_starts_after_the_run_was_cancelled_begins_nothing(cluster: Cluster) -> None:
    project = Project(cluster, more="cluster: {options: ['--begin=now+3seconds']}")
    project.detach()
    (project.path / "cancelled").touch()  # what `packhorse cancel` writes first, before it asks for the jobs
    project.until_over()
    assert project.stopped()["why"] == "cancelled"
    assert not project.journals()
