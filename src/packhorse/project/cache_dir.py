"""The user's private cache."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """Return the user's private cache, made when it is absent; a temporary one where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME")
    place = Path(base) / "packhorse" if base else Path.home() / ".cache" / "packhorse"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="packhorse-"))
    return place
