"""Sending and fetching files and folders of a user: `put` and `get`, and the data of studies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from packhorse.app.reach import There
from packhorse.app.watch import Watcher
from packhorse.model.errors import UsageError

MUCH = 100 << 20  # bytes before whose sending their number is told


def push(there: There, path: Path, place: str, watcher: Watcher) -> int:
    """Send a file or a folder to a path there, what is not there yet; return the bytes that went."""
    from packhorse.run.carrying import send

    files = [(name, one) for name, one in local_files(path)]
    if path.is_file():
        folder, _, name = place.rpartition("/")
        files = [(name, path)]
    else:
        folder = place

    def announce(size: int) -> None:
        if size > MUCH:
            watcher.say(f"sending {size / 1e6:,.0f} MB of {path.name} to {there.site.name}")

    with there.open():
        return send(there.session, folder, files, before=announce)


def local_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the regular files under a folder by their names in it; links are followed to files, not to folders."""
    if not path.exists():
        raise UsageError(f"{path} does not exist", "packhorse put SITE PATH [THERE]")
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            full = Path(folder) / name
            if full.is_file():
                yield full.relative_to(path).as_posix(), full
