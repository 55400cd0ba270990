"""Move a run away from its site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packhorse.model.errors import RunError
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions

if TYPE_CHECKING:  # runs on this machine need none of it
    from packhorse.remote.run_store import RunStore


def leave_site(run: RunDirectory, store: RunStore | None = None, *, keep: bool = False) -> str:
    """Take a run from its site with all that it has there, but for the note where it was if `keep`.

    Return a sentence about what stays there. Raises RunError while jobs wait or run there.
    """
    kept = Submissions(run)
    cluster = kept.cluster()
    if cluster is None:
        return ""
    from packhorse.cluster.job_state import job_state, job_state_line
    from packhorse.cluster.queue import Queue
    from packhorse.remote.open_store import open_store

    store, site = store or open_store(run), cluster.site.name
    queue = Queue(cluster.site, store.transport)
    with store.open():
        found = job_state(run, queue, queue.jobs(0))
        if found.alive or found.state == "unknown":
            raise RunError(
                f"this run is on the site {site}: {job_state_line(found)}",
                f"packhorse run --site {site} follows it; packhorse cancel {run.path} ends it",
            )
        if keep:
            return ""
        stays = store.detach()
    kept.remove_cluster()
    return stays
