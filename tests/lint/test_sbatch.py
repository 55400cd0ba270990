"""lint and sbatch agree: what sbatch refuses before it asks a controller is an error, and nothing else is.

sbatch reads the whole script before it connects, so these tests need its program and no cluster.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lint.mutants import mutants
from packhorse.app.jobs.lint import LintOptions, lint

CONFIG = """\
ClusterName=none
SlurmctldHost=localhost
SlurmctldPort=1
MessageTimeout=1
NodeName=n1
PartitionName=general Nodes=n1
"""
pytestmark = pytest.mark.skipif(shutil.which("sbatch") is None, reason="sbatch is not installed")


def refused(script: Path, config: Path) -> str:
    """Return why sbatch refuses a script; empty where it would ask the controller."""
    done = subprocess.run(
        ["sbatch", "--test-only", script.name],
        cwd=script.parent,
        env={**os.environ, "SLURM_CONF": str(config)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return "" if "contact slurm controller" in done.stderr else done.stderr.strip() or "no message"


def compare(number: int, seed: int, folder: Path) -> None:
    config = folder / "slurm.conf"
    config.write_text(CONFIG)
    wrong, total = [], 0
    for text in mutants(number, seed):
        script = folder / "job.sh"
        script.write_bytes(text.encode())
        why = refused(script, config)
        errors = [one for one in lint([script], LintOptions(), folder)[0].findings if one.severity == "error"]
        total += bool(why)
        if bool(why) != bool(errors) and not controller_refuses(errors):
            wrong.append(f"{text}\nsbatch: {why or 'accepts'}\nlint: {errors}")
    assert not wrong, f"{len(wrong)} of {number}:\n" + "\n\n".join(wrong[:5])
    assert number // 4 < total < number


def controller_refuses(errors: list[object]) -> bool:
    """Return whether all errors are of array ranges, which the controller refuses and not sbatch."""
    return bool(errors) and all("indices" in str(one) for one in errors)


def test_a_sample_of_mutants(tmp_path: Path) -> None:
    compare(120, 1, tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(4))
def test_two_thousand_mutants(seed: int, tmp_path: Path) -> None:
    compare(500, 100 + seed, tmp_path)
