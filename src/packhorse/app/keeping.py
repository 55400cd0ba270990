"""Keeping house: how much space runs take, removing them, stopping them, and whether all is well."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from packhorse.app.carrier import Carrier, carrier_of
from packhorse.model.errors import PackhorseError, RunError
from packhorse.run.directory import RunDirectory, find_run, list_runs
from packhorse.run.local import cores, memory
from packhorse.run.lock import held_by
from packhorse.run.ownjobs import own_job

CANCEL_SECONDS = 40.0
CANCEL_LOOKS = 3  # at the queue, since a wave may be submitted while another is cancelled


def cancel(where: Path, said: str | None) -> str:
    """Stop the process that works on a run, and wait until it has."""
    run = find_run(where, said)
    if (run.path / "cluster.json").exists():
        return _cancel_jobs(run)
    if own_job(run) is not None:
        from packhorse.app.ownruns import cancel_own

        return cancel_own(run)
    return _stop_process(run)


def _stop_process(run: RunDirectory) -> str:
    holder = held_by(run.path)
    if holder is None:
        return f"nothing works on {run.path} now"
    if holder:
        try:
            os.kill(holder, signal.SIGTERM)
        except ProcessLookupError:
            pass  # only its worker is left, which ends by itself
        except PermissionError:
            raise RunError(f"process {holder} belongs to another user", "ask them to stop it") from None
    give_up = time.monotonic() + CANCEL_SECONDS
    while time.monotonic() < give_up:
        if held_by(run.path) is None:
            return f"stopped {run.path}; finished tasks are kept, and the same command continues"
        time.sleep(0.1)
    raise RunError(f"process {holder} did not end within {CANCEL_SECONDS:g} s", f"kill -9 {holder}")


def _cancel_jobs(run: RunDirectory) -> str:
    """Cancel a run's jobs on its site; whatever of them starts nevertheless finds that it was cancelled."""
    carrier = carrier_of(run)
    with carrier.open():
        return _cancel_in(run, carrier)


def _cancel_in(run: RunDirectory, carrier: Carrier) -> str:
    from packhorse.app.queue import Queue
    from packhorse.app.standing import standing
    from packhorse.run.submissions import Submissions

    carrier.look()
    kept = Submissions(run, carrier)
    kept.cancel()
    queue = Queue(carrier.reach.site, carrier.reach)
    numbers: set[str] = set()
    for _ in range(CANCEL_LOOKS):
        found = standing(run, queue, queue.jobs(0))
        new = (
            set(found.numbers) - numbers
        )  # found by their tokens: a number alone may be another job's by now
        wrong = found.silent or queue.cancel(sorted(new))
        if wrong:
            message = f"the scheduler did not take the cancellation ({wrong}); no further wave is submitted"
            raise RunError(message, f"packhorse cancel {run.path}, when it answers again")
        if not new:
            break
        numbers |= new
    if not numbers:
        return f"no job of {run.path} waits or runs; no further wave is submitted"
    return (
        f"cancelled {len(numbers)} job(s) of {run.path}: {', '.join(sorted(numbers))};"
        " finished tasks are kept, and the same command continues"
    )


def sizes(where: Path, said: str | None) -> list[dict[str, Any]]:
    """Return how many bytes and files each part of runs has."""
    chosen = [find_run(where, said)] if said else list_runs(where)
    return [_size(run) for run in chosen]


def _size(run: RunDirectory) -> dict[str, Any]:
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


def remove(where: Path, said: str, *, sure: bool, here: bool = False) -> str:
    """Remove a run's directory, and the one on its site unless only what is `here`; never while something works on it."""
    run = find_run(where, said)
    if held_by(run.path) is not None:
        raise RunError(f"something works on {run.path}", f"packhorse cancel {run.path}")
    carrier = carrier_of(run)
    if here and carrier.far:
        return _remove(run, said, f"; {carrier.path} on {carrier.reach.site.name} stays", sure=sure)
    with carrier.open() if carrier.far else nullcontext():
        _refuse_while_alive(run, carrier)
        size, files = carrier.extent()
        about = f"; {carrier.path} on {carrier.reach.site.name}: {files} files, {size:,} bytes"
        if sure:
            carrier.remove()  # first what can fail: without its note here nobody finds it again
        return _remove(run, said, about if carrier.far else "", sure=sure)


def _refuse_while_alive(run: RunDirectory, carrier: Carrier) -> None:
    if (run.path / "cluster.json").exists():
        from packhorse.app.run import leave_site

        leave_site(run, carrier, keep=True)
    own = own_job(run)
    if own is not None:
        from packhorse.app.ownruns import refuse_while_alive

        refuse_while_alive(run, own)


def _remove(run: RunDirectory, said: str, elsewhere: str, *, sure: bool) -> str:
    about = _size(run)
    if not sure:
        message = (
            f"{run.path} has {about['files']} files, {about['bytes']:,} bytes{elsewhere}; nothing was removed"
        )
        raise RunError(message, f"packhorse rm {said} --yes")
    run.about()  # never remove what is not a run
    shutil.rmtree(run.path)
    return f"removed {run.path}: {about['files']} files, {about['bytes']:,} bytes{elsewhere}"


def doctor(where: Path) -> list[dict[str, Any]]:
    """Return what was looked at, whether it is well, and what to do where it is not."""
    version, available = sys.version.split()[0], memory()
    enough = available is None or available > 512
    rows = [
        _row("Python", version, well=sys.version_info >= (3, 11), cure="install Python 3.11 or newer"),
        _row("cores", str(cores())),
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
    from packhorse.app.looking import status

    try:
        found = status(where, str(run.path))
        said = f"{found['state']}, {found.get('done', 0)} of {found['tasks']} tasks"
        return _row(f"run {run.path.name}", said)
    except (PackhorseError, OSError, ValueError) as error:
        cure = f"packhorse rm {run.path.name} --yes, or repair it"
        return _row(f"run {run.path.name}", str(error), well=False, cure=cure)
