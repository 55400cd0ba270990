"""What happens to clusters: daemons and nodes die, hang, and come back. For tests, and for trying by hand."""

from __future__ import annotations

import os
import signal

import accounting
import daemons
import slurm
from place import Cluster, Refused


def names(cluster: Cluster) -> tuple[str, ...]:
    """Return what can fail."""
    return (*cluster.nodes, "slurmctld", *(["slurmdbd"] if cluster.accounting else []))


def check(cluster: Cluster, name: str) -> None:
    """Refuse a name that is not of this cluster."""
    if name not in names(cluster):
        raise Refused(f"Nothing here is called {name!r}; known: {', '.join(names(cluster))}")


def kill(cluster: Cluster, name: str, *, alone: bool = False) -> None:
    """Kill a daemon at once, and with a node's all that its jobs started, as a power failure does."""
    check(cluster, name)
    pid = daemons.alive(cluster, name)
    victims = [pid] if pid else []
    if name in cluster.nodes and not alone:
        victims += slurm.steps(cluster, name)
    daemons.end(victims, first=signal.SIGKILL)


def start(cluster: Cluster, name: str) -> None:
    """Start a daemon again; with its node it comes back as after a restart of the machine."""
    check(cluster, name)
    if name == "slurmctld":
        slurm.start_controller(cluster)
    elif name == "slurmdbd":
        accounting.start(cluster)
    else:
        slurm.start_node(cluster, name)


def freeze(cluster: Cluster, name: str) -> None:
    """Stop a daemon by SIGSTOP: it is there and does not answer."""
    _send(cluster, name, signal.SIGSTOP)


def thaw(cluster: Cluster, name: str) -> None:
    """Let a frozen daemon go on."""
    _send(cluster, name, signal.SIGCONT)


def _send(cluster: Cluster, name: str, number: signal.Signals) -> None:
    check(cluster, name)
    pid = daemons.alive(cluster, name)
    if pid is None:
        raise Refused(f"{name} is not running. To start it: python scripts/cluster start {name}")
    os.kill(pid, number)
