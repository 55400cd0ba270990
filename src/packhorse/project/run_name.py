"""Names of runs and their directories."""

from __future__ import annotations

import re
from pathlib import Path


def plain_name(stem: str) -> str:
    """Return a word that can name a run's folder."""
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "script"


def next_run(runs: Path, name: str) -> Path:
    """Return a new run directory: a script that is run again is another run."""
    number = 1
    while (runs / f"{name}-{number}").exists():
        number += 1
    return runs / f"{name}-{number}"
