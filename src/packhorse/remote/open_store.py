"""Open the store of an existing run."""

from __future__ import annotations

from typing import Any

from packhorse.remote.run_store import RunStore
from packhorse.remote.transport import LocalTransport, SshTransport
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions


def open_store(run: RunDirectory, how: LocalTransport | SshTransport | None = None) -> RunStore:
    """Return the carrier of a run that was submitted, by what its directory says of it."""
    cluster = Submissions(run).cluster()
    if cluster is None or not cluster.folder:
        return RunStore(run, how or LocalTransport(cluster.site if cluster else _nowhere()))
    from packhorse.remote.remote_store import RemoteRunStore

    there = how if isinstance(how, SshTransport) else SshTransport(cluster.site, cluster.site.login)
    there.hello.setdefault("user", cluster.user)
    return RemoteRunStore(run, there, cluster.folder, cluster.python)


def _nowhere() -> Any:
    from packhorse.model.site import Site

    return Site(name="local", scheduler="local")
