"""Move a run away from its site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packhorse.cluster.job_state import job_state, job_state_line
from packhorse.cluster.queue import Queue
from packhorse.model.errors import RunError
from packhorse.remote.open_store import open_store
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions

if TYPE_CHECKING:  # runs on this machine need none of it
    from packhorse.remote.run_store import RunStore


def leave_site(run: RunDirectory, store: RunStore | None = None, *, keep: bool = False) -> str:
    """Download everything of a run from its site and forget the site; with `keep` only check that this is possible.

    Return a sentence about what stays there. Raises RunError while jobs are queued or running there.
    """
    submissions = Submissions(run)
    cluster = submissions.cluster()
    if cluster is None:
        return ""
    store, site = store or open_store(run), cluster.site.name
    queue = Queue(cluster.site, store.transport)
    with store.open():
        state = job_state(run, queue, queue.jobs(0))
        if state.alive or state.state == "unknown":
            raise RunError(
                f"this run is on the site {site}: {job_state_line(state)}",
                f"packhorse run --site {site} follows it; packhorse cancel {run.argument} cancels it",
            )
        if keep:
            return ""
        stays = store.detach()
    submissions.remove_cluster()
    return stays
