"""Asking a cluster what it is: each scheduler's own questions, none of which changes anything."""

from __future__ import annotations

from collections.abc import Callable

from packhorse.model.command import Dialogue
from packhorse.model.site_facts import SiteFacts
from packhorse.schedulers.pbs import profile
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.slurm import profile as slurm

PROFILES: dict[str, Callable[[str], Dialogue[SiteFacts | NoReply]]] = {
    "slurm": slurm.profile,
    "torque": profile.profile,
    "openpbs": profile.profile,
}
