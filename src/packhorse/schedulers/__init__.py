"""Scheduler dialects without input or output: they build argv, parse text, and hold dialogues as generators."""

from __future__ import annotations

from packhorse.model.errors import UsageError
from packhorse.schedulers.openpbs import OpenPBS
from packhorse.schedulers.scheduler import Scheduler
from packhorse.schedulers.slurm import Slurm
from packhorse.schedulers.torque import Torque

DIALECTS: tuple[Scheduler, ...] = (Slurm(), Torque(), OpenPBS())


def scheduler(name: str) -> Scheduler:
    """Return the dialect with a name; raise UsageError for an unknown one."""
    for dialect in DIALECTS:
        if dialect.name == name:
            return dialect
    known = ", ".join(dialect.name for dialect in DIALECTS)
    raise UsageError(f"no scheduler {name!r}; Packhorse supports {known}", "packhorse sites show NAME")
