"""What happens to clusters: daemons and nodes die, hang, and come back. For tests, and for trying by hand."""

from __future__ import annotations

import os
import signal

import accounting
import daemons
import slurm
import sshd
from machine import no_login
from place import NODES, Cluster, Refused


def names(cluster: Cluster) -> tuple[str, ...]:
    """Return what can fail."""
    more = ["slurmdbd"] if cluster.accounting else []
    more += [] if no_login(cluster) else ["sshd"]
    return (*NODES, "slurmctld", *more)


def known(cluster: Cluster, name: str) -> str:
    """Return the name of a daemon; a node may be named without the cluster's prefix. Refuse any other name."""
    if name in cluster.nodes:
        return name
    if name not in names(cluster):
        raise Refused(f"Nothing here is called {name!r}; known: {', '.join(names(cluster))}")
    return cluster.prefix + name if name in NODES else name


def kill(cluster: Cluster, name: str, *, alone: bool = False) -> None:
    """Kill a daemon at once, and with a node's all that its jobs started, as a power failure does.

    With sshd go the connections that it took, unless `alone`, which is how an sshd is restarted.
    """
    name = known(cluster, name)
    pid = daemons.alive(cluster, name)
    victims = [pid] if pid else []
    if name in cluster.nodes and not alone:
        victims += slurm.steps(cluster, name)
    if name == "sshd" and not alone:
        victims += sshd.connections(cluster)
    daemons.end(victims, first=signal.SIGKILL)


def start(cluster: Cluster, name: str) -> None:
    """Start a daemon again; with its node it comes back as after a restart of the machine."""
    name = known(cluster, name)
    if name == "slurmctld":
        slurm.start_controller(cluster)
    elif name == "slurmdbd":
        accounting.start(cluster)
    elif name == "sshd":
        sshd.start(cluster)
    else:
        slurm.start_node(cluster, name)


def freeze(cluster: Cluster, name: str) -> None:
    """Stop a daemon by SIGSTOP: it is there and does not answer; with sshd all connections, as without a network."""
    _send(cluster, name, signal.SIGSTOP)


def thaw(cluster: Cluster, name: str) -> None:
    """Let a frozen daemon go on."""
    _send(cluster, name, signal.SIGCONT)


def _send(cluster: Cluster, name: str, number: signal.Signals) -> None:
    name = known(cluster, name)
    pid = daemons.alive(cluster, name)
    if pid is None:
        raise Refused(f"{name} is not running. To start it: python scripts/cluster start {name}")
    for victim in (pid, *(sshd.connections(cluster) if name == "sshd" else [])):
        os.kill(victim, number)
