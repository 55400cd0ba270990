"""The whole cluster: brought up or repaired, and taken down to nothing."""

from __future__ import annotations

import dataclasses
import sys

import accounting
import configuration
import daemons
import installation
import machine
import slurm
import sshd
import users
from place import Cluster, Refused, directory, fresh, remove


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is asked of a cluster; None leaves it as it is."""

    memory: str | None = None
    accounting: bool | None = None
    passing: bool = False
    bare: bool = False


def bring_up(cluster: Cluster | None, wanted: Wanted) -> Cluster:
    """Bring a cluster up or repair it, and return it; raise Refused when it cannot be: what was new is removed then."""
    new = cluster is None
    cluster = cluster or fresh(directory(), passing=wanted.passing)
    try:
        cluster.keep = cluster.keep or not wanted.passing
        with machine.turn():  # else another cluster could choose the same ports before they are taken
            _settle(cluster, wanted)
            _start(cluster)
        if not wanted.bare:
            installation.install(cluster)
    except BaseException:
        if new:
            take_down(cluster)
        raise
    return cluster


def _settle(cluster: Cluster, wanted: Wanted) -> None:
    """Decide how the cluster is to be; where that is not how it is, its daemons are stopped first."""
    memory = wanted.memory or cluster.memory
    accounted = cluster.accounting if wanted.accounting is None else wanted.accounting
    if (memory, accounted) != (cluster.memory, cluster.accounting):
        stop(cluster)
    cluster.memory, cluster.accounting = memory, accounted
    if any(daemons.alive(cluster, name) for name in daemons.recorded(cluster)):
        machine.check_ports(cluster)
    else:
        machine.choose_ports(cluster)
        cluster.limits = _limits(cluster)
    users.check(cluster)
    machine.check_programs(cluster)
    cluster.save()


def _limits(cluster: Cluster) -> str:
    """Return which control groups the cluster shall use; those of another Slurm are not shared."""
    if not cluster.root or cluster.memory == "none":
        return "none"
    limits = machine.memory_limits()
    trial = dataclasses.replace(cluster, limits=limits)
    there = [group for node in cluster.nodes for group in slurm.groups(trial, node)]
    if there and cluster.limits != limits:
        raise Refused(
            f"{there[0]} is there already: another Slurm on this machine has nodes of these names.\n"
            "It was left alone. To do without control groups: python scripts/cluster up --memory none"
        )
    return limits


def _start(cluster: Cluster) -> None:
    """Start what is not running."""
    configuration.lay_out(cluster)
    configuration.write(cluster)
    users.make(cluster)
    daemons.start(cluster, "munged", configuration.munged(cluster), user="munge")
    daemons.ready(cluster, "munged", cluster.socket.is_socket, seconds=10)
    accounting.start(cluster)
    sshd.start(cluster)
    try:
        slurm.start(cluster)
    except Refused as why:
        if cluster.limits != "cgroup/v2":
            raise
        # Control groups of this version need more of a machine than can be seen beforehand (systemd, delegation).
        print(f"{why}\nControl groups do not work for Slurm here: going on without.", file=sys.stderr)
        slurm.stop(cluster)
        cluster.limits = "none"
        cluster.save()
        configuration.write(cluster)
        slurm.start(cluster)


def stop(cluster: Cluster) -> None:
    """Stop every daemon; what they wrote stays."""
    sshd.stop(cluster)
    slurm.stop(cluster)
    accounting.stop(cluster)
    daemons.stop(cluster, "munged")


def take_down(cluster: Cluster) -> None:
    """Stop everything that was started, and remove everything that was made."""
    stop(cluster)
    users.remove(cluster)
    sshd.remove(cluster)
    remove(cluster)
