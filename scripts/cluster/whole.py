"""The whole cluster: brought up or repaired, and taken down to nothing."""

from __future__ import annotations

import accounting
import configuration
import daemons
import installation
import machine
import slurm
import users
from place import Cluster, directory, fresh, in_use, remove

__all__ = ["bring_up", "in_use", "take_down"]


def bring_up(
    cluster: Cluster | None, *, memory: str | None, remembering: bool | None, passing: bool
) -> Cluster:
    """Bring a cluster up or repair it, and return it; None leaves a setting as it is.

    Raise Refused when it cannot be; what was new is removed then.
    """
    new = cluster is None
    cluster = cluster or fresh(directory(), passing=passing)
    try:
        users.check(cluster)
        _settle(cluster, memory, remembering=remembering)
        cluster.keep = cluster.keep or not passing
        cluster.save()
        _start(cluster)
    except BaseException:
        if new:
            take_down(cluster)
        raise
    return cluster


def _settle(cluster: Cluster, memory: str | None, *, remembering: bool | None) -> None:
    """Decide how the cluster is to be; where that is not how it is, its daemons are stopped first."""
    wanted = (
        memory or cluster.memory,
        cluster.accounting if remembering is None else remembering,
    )
    if wanted != (cluster.memory, cluster.accounting):
        stop(cluster)
    cluster.memory, cluster.accounting = wanted
    machine.check_programs(cluster)
    if not any(daemons.alive(cluster, name) for name in daemons.recorded(cluster)):
        machine.choose_ports(cluster)
        cluster.limits = machine.memory_limits() if cluster.root and cluster.memory == "cgroup" else "none"
    else:
        machine.check_ports(cluster)


def _start(cluster: Cluster) -> None:
    """Start what is not running."""
    configuration.lay_out(cluster)
    configuration.write(cluster)
    users.make(cluster)
    daemons.start(cluster, "munged", configuration.munged(cluster), user="munge")
    daemons.wait("munged listens", cluster.socket.is_socket, seconds=10)
    accounting.start(cluster)
    slurm.start(cluster)
    installation.install(cluster)


def stop(cluster: Cluster) -> None:
    """Stop every daemon; what they wrote stays."""
    slurm.stop(cluster)
    accounting.stop(cluster)
    daemons.stop(cluster, "munged")


def take_down(cluster: Cluster) -> None:
    """Stop everything that was started, and remove everything that was made."""
    stop(cluster)
    users.remove(cluster)
    remove(cluster)
