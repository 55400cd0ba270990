"""What tasks leave on a real Slurm when their job or their worker is ended, and what they print meanwhile."""

from __future__ import annotations

import os
import signal

import pytest

from cluster.study import Project
from cluster.test_faults import workers
from cluster.testbed import Cluster

STEPS = """
import os, sys, time
for step in range(16):
    open("step%d.npy" % step, "wb").write(bytes(step))
    print("step", step)
open(sys.argv[1], "w").close()
if not os.path.exists(sys.argv[1] + "-over"):
    time.sleep(600)
"""


def steps(cluster: Cluster, more: str = "") -> Project:
    """Return a study of one task that writes and prints, and then goes on for ten minutes."""
    project = Project(cluster, tasks=1)
    project.write("steps.py", STEPS)
    project.write(
        "study.yaml",
        f"name: work\ncommand: python3 steps.py {project.folder / 'ready'}\nresult: none\n"
        f"artifacts: ['*.npy']\n{more}",
    )
    return project


def kept(project: Project) -> int:
    return len(list((project.path / "artifacts" / "0").glob("step*.npy")))


@pytest.mark.campaign
def test_the_end_of_a_job_keeps_what_its_task_wrote_and_printed(cluster: Cluster) -> None:
    project = steps(cluster, "cluster: {job_time: 150 s}\n")
    project.detach()
    project.until("the task was ended", lambda: kept(project) == 16, 180)
    assert (project.path / "artifacts" / "0.partial").exists()
    told = project.packhorse("logs", "work", "--task", "0").stdout
    assert "UNFINISHED, partial" in told
    assert "step 15\n" in told
    assert "files kept: 16, partial" in project.packhorse("explain", "work", "--task", "0").stdout
    project.packhorse("cancel", "work")


def test_a_cancelled_job_keeps_what_its_task_wrote_and_printed(cluster: Cluster) -> None:
    project = steps(cluster)
    project.detach()
    project.until("the task is at work", (project.folder / "ready").exists)
    project.packhorse("cancel", "work")
    project.until("its files are kept", lambda: kept(project) == 16, 30)
    project.until("its journal has an end", lambda: b'"end":' in project.journals()[0].read_bytes(), 30)
    told = project.packhorse("logs", "work", "--task", "0").stdout
    assert "STOPPED, partial" in told
    assert "step 15\n" in told


def test_a_task_is_followed_and_what_its_killed_worker_left_is_kept(cluster: Cluster) -> None:
    project = steps(cluster)
    project.detach()
    project.until("the task is at work", (project.folder / "ready").exists)
    follower = cluster.start_as(
        project.user, ["packhorse", "logs", "work", "--task", "0", "--follow"], cwd=project.folder
    )
    assert follower.stdout is not None
    line = ""
    while "step 15" not in line:
        line = follower.stdout.readline()
        assert line, "the follower ended"
    follower.terminate()
    follower.communicate(timeout=30)
    os.kill(workers(project)[0], signal.SIGKILL)
    (project.folder / "ready-over").touch()
    project.until_over()
    journals = b"".join(path.read_bytes() for path in project.journals())
    assert b"its worker was killed" in journals
    assert kept(project) == 16
    assert not (project.path / "artifacts" / "0.partial").exists(), "the next wave ended it well"
