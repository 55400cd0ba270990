"""Check this machine and the runs below a folder."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from packhorse.app.inspect.status import status
from packhorse.model.errors import PackhorseError
from packhorse.model.json_output import JsonOutput
from packhorse.rundir.directory import RunDirectory, list_runs
from packhorse.runtime.capacity import available_memory, usable_cores
from packhorse.text.amounts import counted

PROGRAMS = {
    "git": "provenance",
    "Rscript": "R scripts",
    "uv": "environment: uv",
    "ssh": "clusters from a laptop",
}


class Check(Struct, frozen=True, kw_only=True):
    """One check."""

    what: Annotated[str, Meta(description="What was checked.")]
    well: Annotated[bool, Meta(description="Whether it passed.")]
    found: Annotated[str, Meta(description="What was found.")]
    cure: Annotated[str, Meta(description="What to do; empty where it passed.")]


class Checkup(JsonOutput, frozen=True, kw_only=True, tag="packhorse-doctor/1"):
    """Checks of this machine and of the runs below a folder."""

    checks: Annotated[tuple[Check, ...], Meta(description="Every check.")]


def doctor(where: Path) -> Checkup:
    """Check this machine and the runs below a folder."""
    version, available = sys.version.split()[0], available_memory()
    enough = available is None or available > 512
    free = shutil.disk_usage(where).free
    checks = [
        _check("Python", version, well=sys.version_info >= (3, 11), cure="install Python 3.11 or newer"),
        _check("cores", str(usable_cores())),
        _check("memory", f"{available or '?'} MiB available", well=enough, cure="close programs"),
    ]
    for name, use in PROGRAMS.items():
        checks.append(_check(name, shutil.which(name) or f"not found; needed for {use} only"))
    checks.append(_check("disk", f"{free >> 20:,} MiB free", well=free > 1 << 30, cure="make space"))
    checks.append(_locks(where))
    return Checkup(checks=(*checks, *(_run_check(where, run) for run in list_runs(where))))


def _check(what: str, found: str, *, well: bool = True, cure: str = "") -> Check:
    return Check(what=what, well=well, found=found, cure="" if well else cure)


def _locks(where: Path) -> Check:
    """Check that file locks and hard links work in a folder."""
    try:
        with tempfile.NamedTemporaryFile(dir=where) as stream:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.link(stream.name, stream.name + ".link")
            Path(stream.name + ".link").unlink()
        return _check("locks and links", "work here")
    except OSError as error:
        cure = "keep runs on another file system (--run DIR)"
        return _check("locks and links", str(error), well=False, cure=cure)


def _run_check(where: Path, run: RunDirectory) -> Check:
    name = run.path.name
    try:
        found = status(where, str(run.path))
        return _check(f"run {name}", f"{found.state}, {found.done} of {counted(found.tasks, 'task')} done")
    except (PackhorseError, OSError, ValueError) as error:
        cure = f"packhorse rm {shlex.quote(name)} --yes, or repair it"
        return _check(f"run {name}", str(error), well=False, cure=cure)
