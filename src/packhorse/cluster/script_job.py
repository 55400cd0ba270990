"""Runs whose only job is a script of the user's own: how they stand, their output, their end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from packhorse.cluster.job_lookup import JobReference, cancel_job, open_queue
from packhorse.cluster.job_table import JobRow, RunNames, describe_job, describe_state
from packhorse.cluster.queue import Queue
from packhorse.cluster.user_jobs import DAYS, find_job
from packhorse.model.errors import RunError, UsageError
from packhorse.model.script_job import ScriptJob
from packhorse.remote.file_tail import OutputFile
from packhorse.remote.transport import SshTransport
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import read_script_job, save_script_job
from packhorse.runtime.dialogue import run_dialogue

FAILED = ("failed", "timed out", "out of memory", "cancelled", "node failed", "preempted")
FILES = "files"  # where what the job left on its site comes to stand
YOUNG_SECONDS = 120.0  # a job whose answer was lost may still come to be seen


def script_job_status(run: RunDirectory, own: ScriptJob) -> dict[str, Any]:
    """Return how such a run stands, in the members that `status` has for every run."""
    own = _found(run, own)
    row, silent = _row(run, own)
    done = row is not None and row.state == "done"
    failed = row is not None and row.state in FAILED
    return {
        "run": str(run.path),
        "name": run.about().name,
        "state": _state(own, row, silent),
        "tasks": 1,
        "done": int(done),
        "failed": int(failed),
        "missing": int(not done and not failed),
        "waves": 0,
        "counts": {},
        "causes": [],
        "unchecked": False,
        "script": own.script,
        "site": own.site.name,
        "job": own.job,
        "folder": own.folder,
        "row": msgspec.to_builtins(row) if row is not None else None,
        "line": _line(own, row, silent),
    }


def _state(own: ScriptJob, row: JobRow | None, silent: str) -> str:
    if row is not None:
        return row.state
    if silent or (not own.job and time.time() - own.intended < YOUNG_SECONDS):
        return "unknown"
    return "ended" if own.job else "lost"


def _line(own: ScriptJob, row: JobRow | None, silent: str) -> str:
    where = f"job {own.job} on {own.site.name}" if own.job else f"a job on {own.site.name}"
    if row is not None:
        told = describe_job(row)
        return f"{where}: {describe_state(row)}{'; ' if told else ''}{told}"
    if silent:
        return f"{where}: not known; {silent}"
    if own.job:
        return f"{where} has ended, and nothing tells how any more"
    return f"{own.site.name} has no job with its mark: it was never taken, or has ended long ago"


def _found(run: RunDirectory, own: ScriptJob) -> ScriptJob:
    """Return a job whose answer was lost with its number, if it is found by its mark."""
    if own.job or own.end:
        return own
    try:
        with open_queue(own.site) as queue:
            found = queue.find(own.token)
            if not isinstance(found, str):
                return own
            own = with_output_files(replace(own, job=found, submitted=time.time()), queue)
    except RunError:
        return own
    save_script_job(run, own)
    return own


def _row(run: RunDirectory, own: ScriptJob) -> tuple[JobRow | None, str]:
    """Return the row of a job, and why there is none; how it ended is written down, since a site forgets it."""
    before = msgspec.convert(own.end, JobRow) if own.end else None
    if before is not None and before.end:
        return before, ""  # the accounting has told all there is
    if not own.job:
        return before, ""
    names = RunNames(by_job={own.job: run.path.name})
    days = max(DAYS, 1 + int((time.time() - own.submitted) // 86400))
    found = find_job(own.site, own.job, names, days)
    if not found.rows:
        told = f"{found.silent}{'; ' if found.hint else ''}{found.hint}"
        return before, "" if before is not None else told
    (row,) = found.rows
    if row.alive:
        return row, ""
    if before is not None and not row.end:
        return before, ""
    save_script_job(run, replace(own, end=msgspec.to_builtins(row)))
    return row, ""


def script_job_reference(run: RunDirectory) -> JobReference | None:
    """Return the job of a run as `logs` and `cancel` take it; None for a run of a study."""
    own = read_script_job(run)
    if own is None:
        return None
    own = _found(run, own)
    if not own.job:
        raise RunError(
            f"nobody knows the number of the job of {run.path.name}", f"packhorse status {run.path.name}"
        )
    known = tuple(
        OutputFile(path=path, errors=errors)
        for path, errors in ((own.output, False), (own.error, True))
        if path
    )
    return JobReference(site=own.site, word=own.job, job=own.job, known=known)


def cancel_script_job(run: RunDirectory) -> str:
    """Cancel the job of such a run."""
    job = script_job_reference(run)
    assert job is not None
    return cancel_job(job)


def fetch_script_job(run: RunDirectory, own: ScriptJob) -> tuple[Path, int]:
    """Fetch all that stands in the job's folder on its site; return where it came to stand, and the bytes that came."""
    if not own.far:
        raise UsageError(f"what {run.path.name} wrote stands here: {own.folder}")
    from packhorse.ssh.file_transfer import download_missing

    place = run.path / FILES
    with open_queue(own.site) as queue:
        assert isinstance(queue.transport, SshTransport)
        listed = queue.transport.session.call("list", path=own.folder)
        return place, download_missing(queue.transport.session, listed, place)


def refuse_while_alive(run: RunDirectory, own: ScriptJob) -> None:
    """Raise RunError while the job waits or runs."""
    row, _ = _row(run, own)
    if row is not None and row.alive:
        raise RunError(
            f"job {own.job} of {run.path.name} still waits or runs", f"packhorse cancel {run.path.name}"
        )


def with_output_files(own: ScriptJob, queue: Queue) -> ScriptJob:
    """Return a job with the files to which it writes, if the scheduler names them: later it may have forgotten."""
    said = run_dialogue(queue.dialect.details(own.job), queue.ask)
    if not isinstance(said, list) or len(said) != 1:
        return own  # an array writes to as many files as it has elements
    return replace(own, output=said[0].output, error=said[0].error)
