"""Folders of the user outside of projects: the private cache directory, and the parent of working copies."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from packhorse.worker.tasks.slot_folders import scratch_parent

MARGIN = 1_000_000_000  # bytes for what tasks write


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


def copies_parent(needed: int = 0) -> Path:
    """Return the first folder that has `needed` bytes and a margin, and where programs may be started.

    They are $TMPDIR (/tmp where it is not set), /var/tmp and the user's cache; if none has enough, the one with
    the most.
    """
    places = [Path(scratch_parent()), Path("/var/tmp")]  # noqa: S108 - parents of private folders
    for place in places:
        if _free_bytes(place) >= needed + MARGIN:
            return place
    return max([*places, cache_dir()], key=_free_bytes)


def _free_bytes(place: Path) -> int:
    """Return the free bytes of a folder; none where it cannot be written to, or programs cannot be started from it."""
    try:
        stats = os.statvfs(place)
    except OSError:
        return -1
    usable = os.access(place, os.W_OK | os.X_OK) and not stats.f_flag & os.ST_NOEXEC
    return stats.f_bavail * stats.f_frsize if usable else -1
