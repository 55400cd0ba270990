"""The TORQUE dialect, in words that mean the same in TORQUE 4.2 and 6.1."""

from __future__ import annotations

from packhorse.schedulers.torque.dialect import Torque

__all__ = ["Torque"]
