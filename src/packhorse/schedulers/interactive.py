"""The line that gives a shell inside a job: what a job script's head asks for, said to the program for such jobs."""

from __future__ import annotations

import shlex

from packhorse.model.job import Request
from packhorse.schedulers.scheduler import Scheduler


def interactive(dialect: Scheduler, request: Request) -> list[str]:
    """Return the argv that waits for a job and gives its shell: srun(1), --pty; qsub(1B), -I."""
    heads = [line.partition(" ")[2] for line in dialect.directives(request)]
    words = [word for head in heads for word in shlex.split(head)]
    return ["srun", *words, "--pty", "bash", "-l"] if dialect.name == "slurm" else ["qsub", "-I", *words]
