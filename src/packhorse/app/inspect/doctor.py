"""Check this machine and the runs below a folder."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from packhorse.model.errors import PackhorseError
from packhorse.rundir.directory import RunDirectory, list_runs
from packhorse.runtime.capacity import available_memory, usable_cores


def doctor(where: Path) -> list[dict[str, Any]]:
    """Return what was looked at, whether it is well, and what to do where it is not."""
    version, available = sys.version.split()[0], available_memory()
    enough = available is None or available > 512
    rows = [
        _row("Python", version, well=sys.version_info >= (3, 11), cure="install Python 3.11 or newer"),
        _row("cores", str(usable_cores())),
        _row("memory", f"{available or '?'} MiB available", well=enough, cure="close programs"),
    ]
    for name, use in (
        ("git", "provenance"),
        ("Rscript", "R scripts"),
        ("uv", "environment: uv"),
        ("ssh", "clusters from a laptop"),
    ):
        found = shutil.which(name)
        rows.append(_row(name, found or f"not found; needed for {use} only"))
    free = shutil.disk_usage(where).free
    rows.append(_row("disk", f"{free >> 20:,} MiB free", well=free > 1 << 30, cure="make space"))
    rows.append(_locks(where))
    for run in list_runs(where):
        rows.append(_run_row(where, run))
    return rows


def _row(what: str, found: str, *, well: bool = True, cure: str = "") -> dict[str, Any]:
    return {"what": what, "well": well, "found": found, "cure": "" if well else cure}


def _locks(where: Path) -> dict[str, Any]:
    import fcntl
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(dir=where) as stream:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.link(stream.name, stream.name + ".link")
            Path(stream.name + ".link").unlink()
        return _row("locks and links", "work here")
    except OSError as error:
        cure = "keep runs on another file system (--run DIR)"
        return _row("locks and links", str(error), well=False, cure=cure)


def _run_row(where: Path, run: RunDirectory) -> dict[str, Any]:
    from packhorse.app.inspect.status import status

    try:
        found = status(where, str(run.path))
        said = f"{found['state']}, {found.get('done', 0)} of {found['tasks']} tasks"
        return _row(f"run {run.path.name}", said)
    except (PackhorseError, OSError, ValueError) as error:
        cure = f"packhorse rm {run.path.name} --yes, or repair it"
        return _row(f"run {run.path.name}", str(error), well=False, cure=cure)
