"""Runs with one job from a script of the user's own: state, output, cancellation, files."""

from __future__ import annotations

import time
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec.structs import replace

from packhorse.cluster.job_lookup import (
    JobReference,
    cancel_job,
    known_outputs,
    open_queue,
    script_text,
)
from packhorse.cluster.job_table import JobRow, RunNames, describe_job, describe_state
from packhorse.cluster.queue import Queue
from packhorse.cluster.user_jobs import DAYS, find_job
from packhorse.model.errors import RunError, UsageError
from packhorse.model.script_job import ScriptJob
from packhorse.remote.transport import SshTransport
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import read_script_job, save_script_job
from packhorse.runtime.dialogue import run_dialogue
from packhorse.ssh.file_transfer import download_missing

FAILED = ("failed", "timed out", "out of memory", "cancelled", "node failed", "preempted")
FILES = "files"  # the folder of a run for what its job left on the site
MOST_ELEMENTS = 10_000  # whose output files are remembered
YOUNG_SECONDS = 120.0  # within which a job whose reply was lost may still appear in the queue


def script_job_status(run: RunDirectory, job: ScriptJob) -> dict[str, Any]:
    """Return the state of a script job, with the keys that `status` has for every run."""
    job = _find(run, job)
    row, silent = _row(run, job)
    done = row is not None and row.state == "done"
    failed = row is not None and row.state in FAILED
    return {
        "run": str(run.path),
        "name": run.about().name,
        "state": _state(job, row, silent),
        "tasks": 1,
        "done": int(done),
        "failed": int(failed),
        "missing": int(not done and not failed),
        "waves": 0,
        "counts": {},
        "causes": [],
        "unchecked": False,
        "script": job.script,
        "site": job.site.name,
        "job": job.job,
        "folder": job.folder,
        "row": msgspec.to_builtins(row) if row is not None else None,
        "line": _line(job, row, silent),
    }


def _state(job: ScriptJob, row: JobRow | None, silent: str) -> str:
    if row is not None:
        return row.state
    if silent or (not job.job and time.time() - job.intended < YOUNG_SECONDS):
        return "unknown"
    return "ended" if job.job else "lost"


def _line(job: ScriptJob, row: JobRow | None, silent: str) -> str:
    where = f"job {job.job} on {job.site.name}" if job.job else f"a job on {job.site.name}"
    if row is not None:
        return "; ".join(part for part in (f"{where}: {describe_state(row)}", describe_job(row)) if part)
    if silent:
        return f"{where}: unknown; {silent}"
    if job.job:
        return f"{where} has ended; the site has no record of how"
    return f"{job.site.name} has no job with this run's token: it was never submitted, or ended long ago"


def _find(run: RunDirectory, job: ScriptJob) -> ScriptJob:
    """Return a job with its number; where the reply was lost, it is looked up by its token."""
    if job.job or job.end:
        return job
    try:
        with open_queue(job.site) as queue:
            number = queue.find(job.token)
            if not isinstance(number, str):
                return job
            job = replace(job, job=number, submitted=time.time())
            job = with_output_files(job, queue, script_text(run, job))
    except RunError:
        return job
    save_script_job(run, job)
    return job


def _row(run: RunDirectory, job: ScriptJob) -> tuple[JobRow | None, str]:
    """Return the row of a job, or why there is none; the row of an ended job is saved, since sites delete old records."""
    saved = msgspec.convert(job.end, JobRow) if job.end else None
    if saved is not None and saved.end:
        return saved, ""  # the accounting has no more to add
    if not job.job:
        return saved, ""
    names = RunNames(by_job={job.job: run.path.name})
    days = max(DAYS, 1 + int((time.time() - job.submitted) // 86400))
    reply = find_job(job.site, job.job, names, days)
    if not reply.rows:
        reason = "; ".join(part for part in (reply.silent, reply.hint) if part)
        return saved, "" if saved is not None else reason
    (row,) = reply.rows
    if row.alive:
        return row, ""
    if saved is not None and not row.end:
        return saved, ""
    save_script_job(run, replace(job, end=msgspec.to_builtins(row)))
    return row, ""


def script_job_reference(run: RunDirectory) -> JobReference | None:
    """Return the job of a run for `logs` and `cancel`; None for a run of a study.

    Raises RunError where the job's number is not known.
    """
    job = read_script_job(run)
    if job is None:
        return None
    job = _find(run, job)
    if not job.job:
        raise RunError(f"the job number of {run.path.name} is not known", f"packhorse status {run.path.name}")
    return JobReference(
        site=job.site, word=job.job, job=job.job, known=known_outputs(job), script=script_text(run, job)
    )


def cancel_script_job(run: RunDirectory) -> str:
    """Cancel the job of a run, and return a sentence."""
    reference = script_job_reference(run)
    assert reference is not None
    return cancel_job(reference)


def fetch_script_job(run: RunDirectory, job: ScriptJob) -> tuple[Path, int]:
    """Download the job's folder on its site; return the folder here, and the bytes downloaded."""
    if not job.far:
        raise UsageError(f"the files of {run.path.name} are on this machine: {job.folder}")
    folder = run.path / FILES
    with open_queue(job.site) as queue:
        assert isinstance(queue.transport, SshTransport)
        listing = queue.transport.session.call("list", path=job.folder)
        return folder, download_missing(queue.transport.session, listing, folder)


def refuse_while_alive(run: RunDirectory, job: ScriptJob) -> None:
    """Raise RunError while the job is queued or running."""
    row, _ = _row(run, job)
    if row is not None and row.alive:
        raise RunError(
            f"job {job.job} of {run.path.name} is still queued or running",
            f"packhorse cancel {run.path.name}",
        )


def with_output_files(job: ScriptJob, queue: Queue, script: str) -> ScriptJob:
    """Return a job with its output files, where they are known: the scheduler may forget them when the job has ended.

    `script` is the text of its script.
    """
    details = run_dialogue(queue.dialect.details(job.job, script), queue.ask)
    rows = details if isinstance(details, list) else []
    if len(rows) == 1 and rows[0].element is None and rows[0].output:
        return replace(job, output=rows[0].output, error=rows[0].error)
    elements = [row for row in rows if row.element is not None and row.output]
    if not elements:
        name = PurePosixPath(job.script).name
        elements = queue.dialect.script_outputs(job.job, script, job.folder, job.user, name)
    return replace(job, elements=tuple(elements[:MOST_ELEMENTS]))
