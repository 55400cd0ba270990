"""Asking a cluster what it is: each scheduler's own questions, none of which changes anything."""

from __future__ import annotations

from collections.abc import Callable

from packhorse.model.command import Talk
from packhorse.model.told import Told
from packhorse.schedulers import pbs_profile
from packhorse.schedulers.slurm import profile as slurm
from packhorse.schedulers.talk import Silent

PROFILES: dict[str, Callable[[str], Talk[Told | Silent]]] = {
    "slurm": slurm.profile,
    "torque": pbs_profile.profile,
    "openpbs": pbs_profile.profile,
}
