"""A translated script asks for the same and does the same; so does one that is translated back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from packhorse.jobscript.script import JobScript
from packhorse.schedulers import scheduler
from packhorse.translate.request import Scheduler
from packhorse.translate.translate import Translation, translate
from translate.scripts import environment, scripts

Run = Callable[..., subprocess.CompletedProcess[str]]
PAIRS = [(a, b) for a in ("slurm", "torque", "openpbs") for b in ("slurm", "torque", "openpbs") if a != b]


def translated(text: str, source: str, to: Scheduler) -> Translation:
    return translate(JobScript(text, "", source), to)


def meaning(text: str, dialect: str) -> dict[str, object]:
    """Return what a script asks for, by the reader of `packhorse submit`."""
    request = scheduler(dialect).read_header(text).request
    memory = request.memory or (request.core_memory and request.core_memory * max(1, request.cores))
    indices = {index for first, last, step in request.indices for index in range(first, last + 1, step)}
    return {
        "name": request.name.replace(" ", "_"),
        "nodes": request.nodes,
        "cores": request.cores,
        "memory": memory,
        "gpus": request.gpus,
        "seconds": request.seconds,
        "indices": len(indices),
        "partition": request.partition,
    }


def output(text: str, dialect: str, folder: Path) -> str:
    """Return what the script prints in the environment that its scheduler gives it."""
    folder.mkdir(exist_ok=True)
    programs = folder / "programs"
    if not programs.exists():
        programs.mkdir()
        launcher = 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"\n'
        for name in ("srun", "mpirun"):
            (programs / name).write_text("#!/bin/sh\n" + launcher)
            (programs / name).chmod(0o755)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (folder / "job.sh").write_text(text)
    usual = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), "USER": "alice"}
    done = subprocess.run(
        ["bash", folder / "job.sh"],
        cwd=folder if dialect == "slurm" else home,
        env=usual | environment(text, dialect, folder),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return f"{done.stdout}{done.stderr}status {done.returncode}"


def check(text: str, source: str, to: Scheduler, folder: Path) -> list[str]:
    """Return what a translation and its way back change."""
    there = translated(text, source, to).text
    back = translated(there, to, source).text  # type: ignore[arg-type]
    faults = []
    if meaning(back, source) != meaning(text, source):
        faults.append(f"{meaning(text, source)} became {meaning(back, source)}")
    first = output(text, source, folder)
    for name, other, dialect in (("there", there, to), ("back", back, source)):
        found = output(other, dialect, folder)
        if found != first:
            faults.append(f"{name}: {found!r}, and not {first!r}")
    return [f"{fault}\n{text}\n--- {to}\n{there}\n--- back\n{back}" for fault in faults]


def check_many(number: int, source: str, to: Scheduler, folder: Path, seed: int) -> None:
    faults = [fault for text in scripts(number, source, seed) for fault in check(text, source, to, folder)]
    assert not faults, f"{len(faults)} of {number}\n" + "\n=====\n".join(faults[:2])


@pytest.mark.parametrize(("source", "to"), PAIRS)
def test_a_sample_there_and_back(source: str, to: Scheduler, tmp_path: Path) -> None:
    check_many(12, source, to, tmp_path, seed=1)


@pytest.mark.campaign
@pytest.mark.parametrize(("source", "to"), PAIRS)
def test_two_hundred_there_and_back(source: str, to: Scheduler, tmp_path: Path) -> None:
    check_many(200, source, to, tmp_path, seed=2)
