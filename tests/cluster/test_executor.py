"""The executor on a real Slurm: one array for ten thousand calls, dead processes and nodes, another session."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.testbed import Cluster

COUNTING = """#!/bin/sh
echo "$*" >> "$SUBMISSIONS"
exec /usr/bin/sbatch "$@"
"""
HEAD = """
import os, sys, time, packhorse

def twice(n):
    return 2 * n

def slow(n):
    time.sleep(1)
    return n

def dies(n):
    return os._exit(3) if n == 7 else n

def executor(**more):
    return packhorse.Executor(site="testbed", resources={"time": "2 min"}, **more)
"""
CALLS = """
with executor(name="calls") as pool:
    assert list(pool.map(twice, range(10_000))) == list(range(0, 20_000, 2))
    print("mapped", flush=True)
    first = [pool.submit(twice, n) for n in range(5)]
    assert [future.result(100) for future in first] == [0, 2, 4, 6, 8]
    for call, words in (((os._exit, 3), "ended the interpreter"), ((divmod, 1, 0), "division")):
        print(repr(pool.submit(*call).exception(100)))
    wide = pool.with_resources(cores=2).submit(os.getenv, "OMP_NUM_THREADS")
    chunks = pool.map(dies, range(12), chunksize=4)
    assert [next(chunks) for _ in range(7)] == list(range(7))
    print(wide.result(100), (1, {2}) == pool.submit(tuple, [1, {2}]).result(100))
"""
LEAVING = """
pool = executor(name="left")
futures = [pool.submit(slow, n) for n in range(6)]
while not futures[0].running() or not os.path.exists("runs/left/waves/1/submission.json"):
    time.sleep(0.05)
time.sleep(2)
os.kill(os.getpid(), 9)
"""
ATTACHED = """
with packhorse.Executor.attach("left") as pool:
    print([future.result(150) for future in pool.futures], len(os.listdir("runs/left/waves")))
"""
NODE = """
with executor(name="node") as pool:
    futures = [pool.submit(slow, n) for n in range(24)]
    futures[0].result(100)
    print("runs", flush=True)
    print([future.result(250) for future in futures] == list(range(24)))
"""
INTERRUPTED = """
try:
    with executor(name="stopped") as pool:
        futures = [pool.submit(time.sleep, 60) for n in range(3000)]
        while not os.path.exists("runs/stopped/waves/1/submission.json"):
            time.sleep(0.05)
        raise KeyboardInterrupt
except KeyboardInterrupt:
    print("back")
"""


@pytest.fixture
def folder(cluster: Cluster) -> Path:
    return cluster.workspace("alice")


def write(cluster: Cluster, folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(HEAD + text)
    cluster.give("alice", path)
    return path


def test_ten_thousand_calls_are_one_array(cluster: Cluster, folder: Path) -> None:
    submissions = (
        cluster.workspace("alice") / "submissions"
    )  # not in the project, where it would change while that is packed
    (folder / "bin").mkdir()
    (folder / "bin/sbatch").write_text(COUNTING)
    (folder / "bin/sbatch").chmod(0o755)
    write(cluster, folder, CALLS)
    cluster.give("alice", folder / "bin", folder / "bin/sbatch")
    env = {
        "PATH": f"{folder}/bin:{cluster.environment('alice')['PATH']}",
        "SUBMISSIONS": f"{submissions}",
    }
    done = cluster.run("alice", ["python", "script.py"], cwd=folder, env=env, timeout=280)
    assert (done.returncode, done.stderr) == (0, ""), done
    mapped, exits, zero, last = done.stdout.splitlines()
    assert mapped == "mapped"
    assert exits.startswith("CallLost('call ")
    assert "the function ended the interpreter" in exits
    assert zero.startswith("ZeroDivisionError(")
    assert last == "2 True"
    sent = submissions.read_text().splitlines()
    arrays = [line for line in sent if "continue" not in line]
    # Of map, five calls at once, two that fail, two others, and chunks, of which one is made again call by call.
    # On a busy machine what is submitted at once may fall into two.
    assert 8 <= len(arrays) <= 12, sent
    calls = next((folder / "runs/calls/waves").glob("1/plan.json")).read_text()
    assert '"tasks":10000' in calls


def test_another_session_finds_the_calls(cluster: Cluster, folder: Path) -> None:
    write(cluster, folder, LEAVING)
    assert cluster.run("alice", ["python", "script.py"], cwd=folder).returncode == -9
    write(cluster, folder, ATTACHED)
    done = cluster.run("alice", ["python", "script.py"], cwd=folder, timeout=200)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.startswith("[0, 1, 2, 3, 4, 5]")


@pytest.mark.campaign  # half a minute until Slurm gives the node up
def test_a_node_dies(cluster: Cluster, folder: Path) -> None:
    path = write(cluster, folder, NODE)
    process = cluster.start_as("alice", ["python", str(path)], cwd=folder)
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    busy = cluster.ask("squeue", "--noheader", "--states=R", "--format=%N").split()
    cluster.kill(busy[0].removeprefix(cluster.prefix))
    out, error = process.communicate(timeout=280)
    assert (process.returncode, out, error) == (0, "True\n", "")


def test_ctrl_c_leaves_the_jobs(cluster: Cluster, folder: Path) -> None:
    write(cluster, folder, INTERRUPTED)
    done = cluster.run("alice", ["python", "script.py"], cwd=folder, timeout=60)
    assert (done.returncode, done.stdout) == (0, "back\n"), done
    cancelled = cluster.run("alice", ["packhorse", "cancel", "stopped"], cwd=folder)
    assert cancelled.returncode == 0, cancelled.stderr
