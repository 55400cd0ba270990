"""The user's private cache directory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """Return the user's private cache directory, made where it is missing (mode 700).

    Where the home directory cannot be written, it is a temporary directory.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    path = Path(base) / "packhorse" if base else Path.home() / ".cache" / "packhorse"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="packhorse-"))
    return path
