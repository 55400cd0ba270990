"""What tasks of killed workers had written: kept where their folders can be seen, else told of with their place."""

from __future__ import annotations

import fcntl
import os
import platform
from pathlib import Path

from packhorse.cluster.job_state import job_state
from packhorse.cluster.queue import Queue
from packhorse.remote.run_store import RunStore
from packhorse.results.journal import Journal
from packhorse.rundata.outcomes import counted
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.lock import lock_holder
from packhorse.rundir.submissions import Submissions
from packhorse.worker.private_folder import LOCK
from packhorse.worker.salvage import salvage


def keep_killed(run: RunDirectory, store: RunStore) -> tuple[str, ...]:
    """Keep what killed workers have left in folders that this machine sees; return sentences about the others.

    A worker counts as killed where its journal has no end and nothing of the run is queued or running.
    """
    latest = run.latest()
    journals = counted(run, latest.first) if latest else []
    ended = {journal.order[:3] for journal in journals if journal.end}
    killed = [one for one in journals if one.copies and not one.end and one.order[:3] not in ended]
    if not killed or _is_working(run, store):
        return ()
    notes = []
    for journal in killed:
        folder = Path(journal.copies)
        host = journal.header.host if journal.header else ""
        if not store.remote_folder and (folder / LOCK).exists():
            _keep(run, folder)
        elif store.remote_folder or host != platform.node():
            notes.append(_sentence(journal, host))
    return tuple(notes)


def _keep(run: RunDirectory, folder: Path) -> None:
    """Keep what tasks left in a folder, unless its worker lives after all."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        salvage(str(folder), str(run.path))
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _is_working(run: RunDirectory, store: RunStore) -> bool:
    """Return whether a worker of the run may be alive."""
    if lock_holder(run.path) is not None:
        return True
    cluster = Submissions(run).cluster()
    if cluster is None:
        return False
    queue = Queue(cluster.site, store.transport)
    with store.open():
        return job_state(run, queue, queue.jobs(0)).state != "gone"


def _sentence(journal: Journal, host: str) -> str:
    """Return where the files of a killed worker's tasks are."""
    return (
        f"a worker on {host} was killed; what its tasks had written is in {journal.copies} there, if the node keeps it:"
        " it is kept when the next wave starts on that node"
    )
