"""Where runs of calls go: the folder of the script that makes them."""

from __future__ import annotations

import inspect
from pathlib import Path


def callers_folder() -> Path:
    """Return the folder of the script that calls Packhorse; the working directory for a notebook or a prompt."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("packhorse."):
        frame = frame.f_back
    file = frame.f_globals.get("__file__") if frame is not None else None
    return Path(file).resolve().parent if file and Path(file).is_file() else Path.cwd()
