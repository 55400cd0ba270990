"""Open the store of an existing run, by what its directory says of its site."""

from __future__ import annotations

from packhorse.model.site import Site
from packhorse.remote.run_store import LocalRunStore, RunStore
from packhorse.remote.transport import LocalTransport, SshTransport, Transport
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions


def open_store(run: RunDirectory, transport: Transport | None = None) -> RunStore:
    """Return the store of a run; `transport` is used where it reaches the run's site."""
    cluster = Submissions(run).cluster()
    if cluster is None or not cluster.folder:
        site = cluster.site if cluster else Site(name="local", scheduler="local")
        return LocalRunStore(run, transport or LocalTransport(site))
    from packhorse.remote.remote_store import RemoteRunStore

    ssh = transport if isinstance(transport, SshTransport) else SshTransport(cluster.site, cluster.site.login)
    ssh.hello.setdefault("user", cluster.user)
    return RemoteRunStore(run, ssh, cluster.folder, cluster.python)
