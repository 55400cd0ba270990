"""Slurm's daemons: the controller and a slurmd for each node, with a host name of its own where we are root."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import configuration
import daemons
from machine import program, systemd
from place import Cluster, Refused

# In the environment of a slurmd and of the steps that it starts, to tell whose they are.
MARK = "PACKHORSE_CLUSTER_NODE"
SLICE = Path("/sys/fs/cgroup/system.slice")  # where slurmd's control groups (v2) are, also without systemd
WELL = {"idle", "mixed", "allocated", "completing"}


def start(cluster: Cluster) -> None:
    """Start what is not running of Slurm, and wait until every node may be used."""
    if cluster.limits == "cgroup/v2" and not systemd():
        SLICE.mkdir(exist_ok=True)  # slurmd makes its own folder in it, but not this one
    start_controller(cluster)
    for node in cluster.nodes:
        start_node(cluster, node)
    try:
        daemons.wait(
            "Every node is ready", lambda: bool(ended(cluster)) or ready(cluster), seconds=45, pause=0.1
        )
    except Refused as late:
        raise Refused(f"{late}\n{ask(cluster, 'sinfo', '--Node', '--long').stdout}") from late
    for name in ended(cluster):
        raise daemons.failed(cluster, name, "has ended")


def ended(cluster: Cluster) -> list[str]:
    """Return the daemons of Slurm that have ended though they were started."""
    return [name for name in ("slurmctld", *cluster.nodes) if not daemons.alive(cluster, name)]


def start_controller(cluster: Cluster) -> None:
    """Start slurmctld."""
    argv = [program("slurmctld"), "-D"]
    daemons.start(cluster, "slurmctld", argv, user=configuration.service_user(cluster))


def start_node(cluster: Cluster, node: str) -> None:
    """Start the slurmd of a node."""
    argv = [program("slurmd"), "-D", "-N", node]
    if cluster.root:
        # A namespace of host names, so that `hostname` in a job says the node's.
        argv = [program("unshare"), "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', node, *argv]
    daemons.start(cluster, node, argv, env={MARK: node})


def ready(cluster: Cluster) -> bool:
    """Tell whether every node may be used; one that was drained or down for some test is taken in again."""
    said = ask(cluster, "sinfo", "--noheader", "--Node", "--format=%N %T")
    states = dict(line.split() for line in said.stdout.splitlines() if len(line.split()) == 2)
    if said.returncode or set(states) != set(cluster.nodes):
        return False
    ill = [node for node, state in states.items() if state not in WELL]
    fallen = [
        node for node in ill if states[node].startswith(("drain", "down")) and daemons.alive(cluster, node)
    ]
    if fallen:
        ask(cluster, "scontrol", "update", f"NodeName={','.join(fallen)}", "State=RESUME")
    return not ill


def ask(cluster: Cluster, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a client of Slurm as the cluster's administrator."""
    return subprocess.run(
        [program(argv[0]), *argv[1:]],
        env=cluster.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )


def stop(cluster: Cluster) -> None:
    """Cancel every job, and stop Slurm with all that its jobs left."""
    if daemons.alive(cluster, "slurmctld"):
        jobs = ask(cluster, "squeue", "--noheader", "--format=%A").stdout.split()
        numbers = sorted({job for job in jobs if job.isdecimal()})
        if numbers:
            ask(cluster, "scancel", *numbers)
            with contextlib.suppress(Refused):  # what does not end by itself is killed below
                daemons.wait(
                    "No job runs",
                    lambda: not ask(cluster, "squeue", "--noheader", "--states=R,CG,S").stdout.strip(),
                    seconds=8,
                )
    daemons.stop(cluster, "slurmctld", *cluster.nodes)
    for node in cluster.nodes:
        daemons.end(steps(cluster, node), first=signal.SIGKILL)
        remove_groups(cluster, node)
    if cluster.limits == "cgroup/v2" and not systemd():
        with contextlib.suppress(OSError):  # somebody else uses it
            SLICE.rmdir()


def steps(cluster: Cluster, node: str) -> list[int]:
    """Return the processes of a node's jobs: by control group, by environment, and all that descends from those."""
    found = {pid for group in groups(cluster, node) for pid in members(group)}
    marks = {f"SLURM_CONF={cluster.configuration}".encode()}
    for pid in pids():
        words = _words(pid, "environ")
        mine = marks <= words and (
            f"SLURMD_NODENAME={node}".encode() in words or f"{MARK}={node}".encode() in words
        )
        if mine and pid != daemons.alive(cluster, node):
            found.add(pid)
    return sorted(found | descendants(found))


def pids() -> list[int]:
    """Return every process of this machine."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _words(pid: int, what: str) -> set[bytes]:
    try:
        return set(Path(f"/proc/{pid}/{what}").read_bytes().split(b"\0"))
    except OSError:  # it is gone, or another user's
        return set()


def descendants(parents: set[int]) -> set[int]:
    """Return the children of processes, and theirs."""
    found: set[int] = set()
    children: dict[int, list[int]] = {}
    for pid in pids():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(pid)
    todo = list(parents)
    while todo:
        for child in children.get(todo.pop(), []):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found - {os.getpid()}


def groups(cluster: Cluster, node: str) -> list[Path]:
    """Return the control groups that a node's slurmd makes where the cluster uses them."""
    patterns = {"cgroup/v1": [f"*/slurm_{node}"], "cgroup/v2": [f"system.slice/{node}_slurmstepd.scope"]}
    return [
        path for pattern in patterns.get(cluster.limits, []) for path in Path("/sys/fs/cgroup").glob(pattern)
    ]


def members(group: Path) -> set[int]:
    """Return the processes in a control group and those below it."""
    found: set[int] = set()
    for file in group.rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            found.update(map(int, file.read_text().split()))
    return found


def remove_groups(cluster: Cluster, node: str) -> None:
    """Remove a node's empty control groups, the deepest first."""
    for group in groups(cluster, node):
        for path in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                path.rmdir()
        with contextlib.suppress(OSError):
            group.rmdir()
