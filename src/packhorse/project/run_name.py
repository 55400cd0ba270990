"""Names of runs and their directories."""

from __future__ import annotations

import re
from pathlib import Path


def plain_name(stem: str) -> str:
    """Return a name for a run directory, made of letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "script"


def next_run(runs: Path, name: str) -> Path:
    """Return the first free `runs/NAME-N`: a script that is run again gets another run."""
    number = 1
    while (runs / f"{name}-{number}").exists():
        number += 1
    return runs / f"{name}-{number}"
