"""Disk space of runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packhorse.rundir.directory import RunDirectory, find_run, list_runs


def sizes(where: Path, said: str | None) -> list[dict[str, Any]]:
    """Return how many bytes and files each part of runs has."""
    chosen = [find_run(where, said)] if said else list_runs(where)
    return [size_of(run) for run in chosen]


def size_of(run: RunDirectory) -> dict[str, Any]:
    parts: dict[str, int] = {}
    files = 0
    for path, size in _files(run.path):
        name = path.relative_to(run.path).parts[0]
        parts[name] = parts.get(name, 0) + size
        files += 1
    return {"run": str(run.path), "bytes": sum(parts.values()), "files": files, "parts": parts}


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            yield Path(entry.path), entry.stat(follow_symlinks=False).st_size
