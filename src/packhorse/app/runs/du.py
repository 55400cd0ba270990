"""Disk space of runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from packhorse.model.json_output import JsonOutput
from packhorse.rundir.directory import RunDirectory, find_run, list_runs


class RunSize(Struct, frozen=True, kw_only=True):
    """The disk space of a run directory."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    bytes: Annotated[int, Meta(description="Bytes of all files.")]
    files: Annotated[int, Meta(description="The number of files.")]
    parts: Annotated[dict[str, int], Meta(description="Bytes by the files and folders in it.")]


class DiskUsage(JsonOutput, frozen=True, kw_only=True, tag="packhorse-du/1"):
    """The disk space of runs."""

    runs: Annotated[tuple[RunSize, ...], Meta(description="Each run.")]


def disk_usage(where: Path, name: str | None) -> DiskUsage:
    """Return the disk space of a run, or of all runs below a folder."""
    chosen = [find_run(where, name)] if name else list_runs(where)
    return DiskUsage(runs=tuple(map(size_of, chosen)))


def size_of(run: RunDirectory) -> RunSize:
    """Return the disk space of one run."""
    parts: dict[str, int] = {}
    files = 0
    for path, size in _files(run.path):
        name = path.relative_to(run.path).parts[0]
        parts[name] = parts.get(name, 0) + size
        files += 1
    return RunSize(run=str(run.path), bytes=sum(parts.values()), files=files, parts=parts)


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        else:
            yield Path(entry.path), entry.stat(follow_symlinks=False).st_size
