"""Where working copies of the project stand on this machine: outside of every project, and where they have room."""

from __future__ import annotations

import os
from pathlib import Path

from packhorse.project.cache_dir import cache_dir
from packhorse.worker.tasks.slot_folders import scratch_parent

MARGIN = 1_000_000_000  # bytes for what tasks write


def copies_parent(needed: int = 0) -> Path:
    """Return the first folder that has `needed` bytes and a margin, and where programs may be started.

    They are $TMPDIR (/tmp where it is not set), /var/tmp and the user's cache; where none has the room, the one with
    the most.
    """
    places = [Path(scratch_parent()), Path("/var/tmp"), cache_dir()]  # noqa: S108 - parents of private folders
    room = {place: _room(place) for place in places}
    fitting = (place for place in places if room[place] >= needed + MARGIN)
    return next(fitting, max(places, key=lambda place: room[place]))


def _room(place: Path) -> int:
    """Return the free bytes of a folder; none where it cannot be written to, or programs cannot be started from it."""
    try:
        stats = os.statvfs(place)
    except OSError:
        return -1
    usable = os.access(place, os.W_OK | os.X_OK) and not stats.f_flag & os.ST_NOEXEC
    return stats.f_bavail * stats.f_frsize if usable else -1
