"""The dialect of Slurm 22.05 to 26.05."""

from __future__ import annotations

from packhorse.schedulers.slurm.dialect import Slurm

__all__ = ["Slurm"]
