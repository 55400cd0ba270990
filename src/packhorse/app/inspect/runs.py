"""List the runs below a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from packhorse.app.inspect.status import status
from packhorse.model.errors import RunError
from packhorse.rundir.directory import list_runs


def runs(where: Path) -> list[dict[str, Any]]:
    """Return how all runs here stand, the newest first."""
    found = []
    for run in list_runs(where):
        try:
            found.append(status(where, str(run.path)))
        except (RunError, msgspec.MsgspecError, OSError) as error:
            found.append(
                {"run": str(run.path), "name": run.path.name, "state": "unreadable", "why": str(error)}
            )
    return found
