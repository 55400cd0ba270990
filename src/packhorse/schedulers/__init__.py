"""Schedulers: dialects without input or output. They build argv, read text, and talk in generators."""

from __future__ import annotations

from packhorse.model.errors import UsageError
from packhorse.schedulers.openpbs import OpenPBS
from packhorse.schedulers.scheduler import Scheduler
from packhorse.schedulers.slurm import Slurm
from packhorse.schedulers.torque import Torque

DIALECTS: tuple[Scheduler, ...] = (Slurm(), Torque(), OpenPBS())


def scheduler(name: str) -> Scheduler:
    """Return the dialect of a name; raise UsageError for one that Packhorse does not speak."""
    for dialect in DIALECTS:
        if dialect.name == name:
            return dialect
    known = ", ".join(dialect.name for dialect in DIALECTS)
    raise UsageError(f"no scheduler {name!r}; Packhorse speaks {known}", "packhorse sites show NAME")
