"""The cluster's ordinary users: made, recognised by the home that we gave them, and removed."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import daemons
from place import Cluster, Refused


def home(cluster: Cluster, name: str) -> Path:
    """Return the home of a user; without root there is one user, whoever is asked for."""
    return cluster.path("home", name if cluster.root else "me")


def ours(cluster: Cluster, name: str) -> bool:
    """Tell whether a user exists and was made for this cluster."""
    try:
        return Path(pwd.getpwnam(name).pw_dir) == home(cluster, name)
    except KeyError:
        return False


def check(cluster: Cluster) -> None:
    """Refuse where a user of the machine already has a name that we need."""
    for name in cluster.everybody:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            if not ours(cluster, name):
                raise Refused(
                    f"This machine has a user {name} already (home {entry.pw_dir}), and the cluster would need one "
                    "of its own.\nNobody was changed. Name others: make cluster PACKHORSE_CLUSTER_USERS='carol dave'"
                )


def make(cluster: Cluster) -> None:
    """Make the users that are missing; every login of theirs is on the cluster."""
    if not cluster.root:
        make_home(cluster, "me", None)
        return
    for name in cluster.everybody:
        if not ours(cluster, name):
            argv: list[str | Path] = ["useradd", "--no-create-home", "--home-dir", home(cluster, name)]
            argv += ["--shell", "/bin/bash", "--user-group", "--comment", "Packhorse test cluster", name]
            made = subprocess.run(
                argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            if made.returncode:
                raise Refused(f"The user {name} cannot be made: {made.stdout.strip()}")
        make_home(cluster, name, name)


def make_home(cluster: Cluster, name: str, owner: str | None) -> None:
    """Make a home whose shells know the cluster."""
    place = home(cluster, name)
    place.mkdir(mode=0o755, exist_ok=True)
    for file in (".profile", ".bashrc"):
        (place / file).write_text(f"# Packhorse's test cluster.\n. {cluster.path('env')}\n")
    if owner:
        entry = pwd.getpwnam(owner)
        for path in (place, place / ".profile", place / ".bashrc"):
            os.chown(path, entry.pw_uid, entry.pw_gid)


def remove(cluster: Cluster) -> None:
    """End what the users left running, and remove them; a user who is not ours stays."""
    for name in cluster.everybody:
        if not ours(cluster, name):
            continue
        uid = pwd.getpwnam(name).pw_uid
        daemons.end(processes(uid), first=signal.SIGKILL)
        subprocess.run(["userdel", name], check=True)
        shutil.rmtree(home(cluster, name), ignore_errors=True)


def processes(uid: int) -> list[int]:
    """Return the processes of a user."""
    found = []
    for path in Path("/proc").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if path.name.isdecimal() and path.stat().st_uid == uid:
                found.append(int(path.name))
    return found
