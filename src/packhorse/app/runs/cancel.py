"""Stop a run: its process here, or its jobs on a site."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from packhorse.model.errors import RunError
from packhorse.model.job import Job
from packhorse.remote.open_store import open_store
from packhorse.remote.run_store import RunStore
from packhorse.rundir.directory import RunDirectory, find_run
from packhorse.rundir.lock import lock_holder
from packhorse.rundir.submissions import Submissions, read_script_job
from packhorse.text.amounts import counted

CANCEL_SECONDS = 40.0  # for a process to end


def cancel(where: Path, name: str | None) -> str:
    """Stop the process or cancel the jobs of a run; return a sentence for the user.

    Raises RunError where they do not end, or belong to another user.
    """
    run = find_run(where, name)
    if (run.path / "cluster.json").exists():
        return _cancel_jobs(run)
    if read_script_job(run) is not None:
        from packhorse.cluster.script_job import cancel_script_job

        return cancel_script_job(run)
    return _stop_process(run)


def _stop_process(run: RunDirectory) -> str:
    holder = lock_holder(run.path)
    if holder is None:
        return f"{run.path} is not running"
    if holder:
        try:
            os.kill(holder, signal.SIGTERM)
        except ProcessLookupError:
            pass  # only its worker is left, which ends by itself
        except PermissionError:
            raise RunError(f"process {holder} belongs to another user", "ask them to stop it") from None
    give_up = time.monotonic() + CANCEL_SECONDS
    while time.monotonic() < give_up:
        if lock_holder(run.path) is None:
            return f"stopped {run.path}; finished tasks are kept; run the same command again to continue"
        time.sleep(0.1)
    raise RunError(f"process {holder} did not end within {CANCEL_SECONDS:g} s", f"kill -9 {holder}")


def _cancel_jobs(run: RunDirectory) -> str:
    """Cancel the jobs of a run on its site; a job that starts anyway finds the run cancelled and ends."""
    store = open_store(run)
    with store.open():
        return _cancel_in(run, store)


def _cancel_in(run: RunDirectory, store: RunStore) -> str:
    from packhorse.cluster.job_state import run_argument
    from packhorse.cluster.queue import Queue, end_jobs

    store.refresh()
    Submissions(run, store).cancel()
    queue = Queue(store.transport.site, store.transport)
    again = f"packhorse cancel {run_argument(run)}"

    def jobs_of() -> list[Job]:
        reply = queue.jobs(0)
        if reply.silent:
            message = f"the scheduler did not cancel the jobs ({reply.silent}); no further wave is submitted"
            raise RunError(message, f"run again when it answers: {again}")
        return [job for _, _, job in reply.of(run.about().id) if job.state != "GONE"]

    numbers = end_jobs(queue, jobs_of, lambda job: job.job, again)
    if not numbers:
        return f"{run.path} has no job that is queued or running; no further wave is submitted"
    return (
        f"cancelled {counted(len(numbers), 'job')} of {run.path}: {', '.join(numbers)};"
        " finished tasks are kept; run the same command again to continue"
    )
