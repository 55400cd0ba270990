"""What this machine has and allows: programs, ports, memory limits. Looks, and touches nothing that is not ours."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import daemons
from place import CHECKOUT, Cluster, Lacking, Refused

SLURM = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scontrol", "unshare")
ACCOUNTING = ("slurmdbd", "sacctmgr", "mariadbd", "mariadb-install-db", "mariadb", "mariadb-admin")
# What an sshd with second factors takes: programs, and files with the packages that bring them.
SSHD = ("sshd", "ssh-keygen", "gcc")
TOTP = "pam_google_authenticator.so"
SSHD_FILES = {
    "libpam0g-dev": "usr/include/security/pam_modules.h",
    "libpam-google-authenticator": f"usr/lib*/*/security/{TOTP}",
}
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
# Below 32768, where Linux takes ports for outgoing connections, and away from Slurm's own 6817 to 6819.
BLOCKS = range(26810, 31810, 100)
BLOCK = 11


def program(name: str) -> str:
    """Return the path of a program; daemons are where ordinary users do not look."""
    found = shutil.which(name, path=PATH)
    if found is None:
        raise Lacking(f"{name} is not installed. As root: scripts/system-packages --cluster")
    return found


def check_programs(cluster: Cluster) -> None:
    """Install what is missing as root on Debian; refuse with the list of what is missing otherwise."""
    wanted = SLURM + (ACCOUNTING if cluster.accounting else ())
    if not (cluster.root and no_login(cluster)) and all(shutil.which(name, path=PATH) for name in wanted):
        return
    if cluster.root:
        subprocess.run([CHECKOUT / "scripts" / "system-packages", "--cluster"], check=False)
    missing = [name for name in wanted if shutil.which(name, path=PATH) is None]
    if missing:
        raise Lacking(
            f"Not installed: {', '.join(missing)}.\nOn Debian or Ubuntu, as root: scripts/system-packages --cluster"
        )


def no_login(cluster: Cluster) -> str:
    """Return why no sshd can be here, "" where one can be."""
    if not cluster.root:
        return "without root nobody else can log in"
    lacking = [name for name in SSHD if shutil.which(name, path=PATH) is None]
    lacking += [name for name, file in SSHD_FILES.items() if not any(Path("/").glob(file))]
    return f"{', '.join(lacking)} not installed (scripts/system-packages --cluster)" if lacking else ""


def free(port: int) -> bool:
    """Tell whether nobody listens at a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an ended connection's port is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Let one cluster of this machine start at a time. A folder that is everywhere is the lock, so no file stays."""
    handle = os.open("/dev", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def choose_ports(cluster: Cluster) -> None:
    """Give the cluster a block of free ports; one that the user names is taken or refused, never replaced."""
    named = os.environ.get("PACKHORSE_CLUSTER_PORT")
    if named:
        if not named.isdecimal() or not 1024 <= int(named) <= 65535 - BLOCK:
            raise Refused(
                f"PACKHORSE_CLUSTER_PORT is {named!r}, and not a port from 1024 to {65535 - BLOCK}."
            )
        first = int(named)
        taken = [port for port in range(first, first + BLOCK) if not free(port)]
        if taken:
            raise Refused(
                f"Something listens at port {taken[0]} of this machine already, and it is not of this cluster. "
                f"It was left alone.\nName the first of {BLOCK} free ports: "
                f"make cluster PACKHORSE_CLUSTER_PORT={first + 1000}"
            )
        cluster.ports = first
        return
    for first in ([cluster.ports] if cluster.ports else []) + list(BLOCKS):
        if all(free(port) for port in range(first, first + BLOCK)):
            cluster.ports = first
            return
    raise Refused(
        f"No {BLOCK} free ports in a row were found from {BLOCKS[0]} on.\n"
        "Name the first of them: make cluster PACKHORSE_CLUSTER_PORT=N"
    )


def check_ports(cluster: Cluster) -> None:
    """Refuse where a cluster that partly runs cannot go on, since somebody else took a port of a daemon that ended."""
    behind = ["slurmdbd", "mariadbd"] if cluster.accounting else []
    for name in ("slurmctld", *behind, *cluster.nodes, *(["sshd"] if cluster.root else [])):
        if not daemons.alive(cluster, name) and not free(cluster.port(name)):
            raise Refused(
                f"{name} of the cluster has ended, and something else listens at its port {cluster.port(name)}.\n"
                "It was left alone. To begin anew: make cluster-down cluster"
            )


def memory_limits() -> str:
    """Return which control groups can limit memory here: cgroup/v1, cgroup/v2, or none."""
    top = Path("/sys/fs/cgroup")
    if all(_writable(top / name) for name in ("memory", "freezer", "cpuacct")):
        return "cgroup/v1"
    controllers = top / "cgroup.controllers"
    if controllers.exists() and {"memory", "cpu"} <= set(controllers.read_text().split()) and _writable(top):
        return "cgroup/v2"
    return "none"


def systemd() -> bool:
    """Tell whether systemd runs this machine, in the way that sd_booted(3) says."""
    return Path("/run/systemd/system").is_dir()


def _writable(group: Path) -> bool:
    """Tell whether control groups can be made here, by making one."""
    if not (group / "cgroup.procs").exists():
        return False
    try:
        made = tempfile.mkdtemp(prefix="packhorse-", dir=group)
    except OSError:
        return False
    Path(made).rmdir()
    return True
