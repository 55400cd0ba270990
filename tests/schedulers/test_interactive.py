"""The line that gives a shell inside a job, in each scheduler's words."""

from __future__ import annotations

import pytest

from packhorse.model.job import Request
from packhorse.schedulers import DIALECTS, scheduler

REQUEST = Request(
    name="packhorse-shell", partition="gpu", account="lab", cores=4, memory=2048, gpus=1, gres="gpu:a100",
    seconds=7200, requeue=None,
)  # fmt: skip
LINES = {
    "slurm": "srun --job-name=packhorse-shell|--account=lab|--partition=gpu|--nodes=1|--ntasks-per-node=1|"
    "--cpus-per-task=4|--mem=2048M|--gres=gpu:a100:1|--time=0-02:00:00|--pty|bash|-l",
    "torque": "qsub -I|-S|/bin/bash|-N|packhorse-shell|-A|lab|-q|gpu|-l|nodes=1:ppn=4:gpus=1:a100|-l|mem=2048mb|"
    "-l|walltime=02:00:00|-j|oe|-m|n",
    "openpbs": "qsub -I|-S|/bin/bash|-N|packhorse-shell|-A|lab|-q|gpu|-l|select=1:ncpus=4:mem=2048mb:ngpus=1|"
    "-l|walltime=02:00:00|-j|oe|-m|n",
}


@pytest.mark.parametrize("name", LINES)
def test_what_a_script_would_ask_is_asked_by_the_program_for_shells(name: str) -> None:
    program, _, words = LINES[name].partition(" ")
    assert scheduler(name).interactive_argv(REQUEST) == [program, *words.split("|")]


def test_every_dialect_has_such_a_line() -> None:
    assert {dialect.name for dialect in DIALECTS} == set(LINES)
