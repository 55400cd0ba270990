"""Stop a run: its process here, or its jobs on a site."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from packhorse.model.errors import RunError
from packhorse.remote.open_store import open_store
from packhorse.remote.run_store import RunStore
from packhorse.rundir.directory import RunDirectory, find_run
from packhorse.rundir.lock import lock_holder
from packhorse.rundir.submissions import read_script_job

CANCEL_SECONDS = 40.0


CANCEL_LOOKS = 3  # at the queue, since a wave may be submitted while another is cancelled


def cancel(where: Path, said: str | None) -> str:
    """Stop the process that works on a run, and wait until it has."""
    run = find_run(where, said)
    if (run.path / "cluster.json").exists():
        return _cancel_jobs(run)
    if read_script_job(run) is not None:
        from packhorse.cluster.script_job import cancel_script_job

        return cancel_script_job(run)
    return _stop_process(run)


def _stop_process(run: RunDirectory) -> str:
    holder = lock_holder(run.path)
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
        if lock_holder(run.path) is None:
            return f"stopped {run.path}; finished tasks are kept, and the same command continues"
        time.sleep(0.1)
    raise RunError(f"process {holder} did not end within {CANCEL_SECONDS:g} s", f"kill -9 {holder}")


def _cancel_jobs(run: RunDirectory) -> str:
    """Cancel a run's jobs on its site; whatever of them starts nevertheless finds that it was cancelled."""
    store = open_store(run)
    with store.open():
        return _cancel_in(run, store)


def _cancel_in(run: RunDirectory, store: RunStore) -> str:
    from packhorse.cluster.job_state import job_state
    from packhorse.cluster.queue import Queue
    from packhorse.rundir.submissions import Submissions

    store.refresh()
    kept = Submissions(run, store)
    kept.cancel()
    queue = Queue(store.transport.site, store.transport)
    numbers: set[str] = set()
    for _ in range(CANCEL_LOOKS):
        found = job_state(run, queue, queue.jobs(0))
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
