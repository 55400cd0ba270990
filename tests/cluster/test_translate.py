"""Translated scripts on a real Slurm: sbatch accepts them, and they do what they did before."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cluster.testbed import Cluster
from packhorse.jobscript.script import JobScript
from packhorse.translate.request import Scheduler
from packhorse.translate.translate import translate
from translate.scripts import scripts

# What the cluster's nodes do not have, and what would keep a job from starting today.
_LACKING = re.compile(r"gpu|gres|:fast|exclusive|singlejob|:excl")
_WAITS = re.compile(r"^#\S+ (--hold|-h|--begin=.*|-a .*|--mail.*|-[mM] .*|--output=logs.*)\n", re.MULTILINE)


def to(text: str, source: str, scheduler: Scheduler) -> str:
    return translate(JobScript(text, "", source), scheduler).text


def runnable(number: int, source: str, seed: int) -> list[str]:
    found = [_WAITS.sub("", text) for text in scripts(4 * number, source, seed) if not _LACKING.search(text)]
    return [text for text in found if "-N 2" not in text and "nodes=2" not in text][:number]


def put(cluster: Cluster, folder: Path, text: str) -> Path:
    path = folder / "job.sh"
    path.write_text(text)
    if not cluster.one_user:
        shutil.chown(path, cluster.users[0], cluster.users[0])
    return path


def refusals(cluster: Cluster, number: int, source: str, seed: int) -> list[str]:
    folder = cluster.workspace(cluster.users[0])
    found = []
    for text in runnable(number, source, seed):
        made = text if source == "slurm" else to(text, source, "slurm")
        if source == "slurm":
            made = to(to(text, "slurm", "torque"), "torque", "slurm")
        done = cluster.run(
            cluster.users[0], ["sbatch", "--test-only", str(put(cluster, folder, made))], cwd=folder
        )
        if done.returncode:
            found.append(f"{done.stderr}\n{made}\n--- from\n{text}")
    return found


@pytest.mark.parametrize("source", ["slurm", "torque", "openpbs"])
def test_sbatch_accepts_a_sample(cluster: Cluster, source: str) -> None:
    assert refusals(cluster, 6, source, seed=3) == []


@pytest.mark.campaign
@pytest.mark.parametrize("source", ["slurm", "torque", "openpbs"])
def test_sbatch_accepts_two_hundred(cluster: Cluster, source: str) -> None:
    assert refusals(cluster, 200, source, seed=4) == []


def outputs(cluster: Cluster, text: str) -> list[str]:
    """Return what each element of a job prints, in the order of the indices."""
    folder = cluster.workspace(cluster.users[0])
    path = put(cluster, folder, text)
    argv = ["sbatch", "--parsable", "--wait", "--output=out-%a.txt", "--error=out-%a.txt", str(path)]
    done = cluster.run(cluster.users[0], argv, cwd=folder, timeout=120)
    rows = [path.read_text() for path in sorted(folder.glob("out-*.txt"))]
    assert rows, done.stderr
    return [re.sub(rf"{re.escape(str(folder))}|\b\d{{3,}}\b", "X", row) for row in rows]


@pytest.mark.campaign
@pytest.mark.parametrize("way", ["torque", "openpbs"])
def test_twenty_run_to_the_end_as_before(cluster: Cluster, way: Scheduler) -> None:
    for text in runnable(10, "slurm", seed=5):
        back = to(to(text, "slurm", way), way, "slurm")
        assert outputs(cluster, back) == outputs(cluster, text), f"{text}\n--- back\n{back}"
