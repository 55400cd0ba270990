"""The one directory in which the cluster lives, and what is remembered there of what was made."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
# A socket's path may have 107 bytes on Linux (unix(7)), and the longest of ours adds about 20.
LONGEST = 80
NODES = ("n1", "n2", "n3", "n4", "d1", "d2", "g1")


class Refused(Exception):  # noqa: N818 - a decision to tell, not a mistake of somebody
    """What cannot be done here, why, and what to type next."""

    status = 1


class Lacking(Refused):
    """Programs that are not installed; the command's exit status tells it from other refusals."""

    status = 3


@dataclasses.dataclass
class Cluster:
    """A cluster's directory and how it is set up. `ports` is the first of a block of ports."""

    directory: Path
    root: bool
    ports: int = 0
    accounting: bool = True
    memory: str = "cgroup"  # asked for: cgroup or none
    limits: str = "none"  # what this machine can do of it: cgroup/v1, cgroup/v2 or none
    users: tuple[str, ...] = ()  # ordinary users; without root there is none but oneself
    logins: tuple[str, ...] = ()  # users with a second factor: push, code, key and push
    prefix: str = ""  # of node names, and so of control groups, which all clusters of a machine share
    keep: bool = True  # False: tests brought it up, and take it down again

    def path(self, *parts: str) -> Path:
        """Return a path inside the directory."""
        return self.directory.joinpath(*parts)

    @property
    def configuration(self) -> Path:
        """Return the path of slurm.conf."""
        return self.path("etc", "slurm.conf")

    @property
    def socket(self) -> Path:
        """Return the path of munge's socket."""
        return self.path("munge", "socket")

    @property
    def everybody(self) -> tuple[str, ...]:
        """Return the names of all users."""
        return self.users + self.logins

    @property
    def nodes(self) -> tuple[str, ...]:
        """Return the names of the nodes, as Slurm knows them."""
        return tuple(self.prefix + name for name in NODES)

    def port(self, name: str) -> int:
        """Return the port of a daemon, or of a node."""
        return self.ports + ("slurmctld", "slurmdbd", "mariadbd", *self.nodes, "sshd").index(name)

    def environment(self) -> dict[str, str]:
        """Return what any program of this cluster sees, and nothing of the caller's own settings."""
        path = [self.path("packhorse", "current", "bin"), "/usr/local/bin", "/usr/bin", "/bin"]
        path += ["/usr/local/sbin", "/usr/sbin", "/sbin"]
        return {
            "SLURM_CONF": str(self.configuration),
            "PATH": os.pathsep.join(map(str, path)),
            "LANG": "C.UTF-8",
        }

    def save(self) -> None:
        """Write what is remembered."""
        text = json.dumps({"format": "packhorse-cluster", **dataclasses.asdict(self)}, default=str, indent=1)
        new = self.path("cluster.json.new")
        new.write_text(text + "\n")
        new.rename(self.path("cluster.json"))


def directory() -> Path:
    """Return where the cluster of this user and checkout lives."""
    named = os.environ.get("PACKHORSE_CLUSTER")
    if named:
        return Path(named).absolute()
    return Path("/var/lib/packhorse-cluster") if os.geteuid() == 0 else CHECKOUT / ".cluster"


def known(place: Path) -> Cluster | None:
    """Return the cluster that lives in a directory, or None; raise Refused where something else lives there."""
    described = place / "cluster.json"
    if not described.exists():
        if place.is_symlink() or (place.exists() and (not place.is_dir() or any(place.iterdir()))):
            raise Refused(
                f"{place} exists and is not a Packhorse cluster. Nothing in it was touched.\n"
                "Name another directory: make cluster PACKHORSE_CLUSTER=/another/directory"
            )
        return None
    if place.stat().st_uid != os.geteuid():
        raise Refused(f"{place} is the cluster of another user (uid {place.stat().st_uid}).")
    said: dict[str, Any] = json.loads(described.read_text())
    if said.pop("format", None) != "packhorse-cluster":
        raise Refused(f"{described} does not describe a Packhorse cluster. Nothing was touched.")
    # What an older or newer checkout remembered besides is left out: its cluster can be repaired and removed.
    fields = {field.name: said[field.name] for field in dataclasses.fields(Cluster) if field.name in said}
    names = {name: tuple(said.get(name, ())) for name in ("users", "logins")}
    cluster = Cluster(**{**fields, **names, "directory": place})
    if cluster.root and not cluster.logins:  # brought up, or repaired, by a checkout that had none
        cluster.logins = logins_beside(cluster.users)
    return cluster


def fresh(place: Path, *, passing: bool = False) -> Cluster:
    """Make the directory of a new cluster, so that whatever follows can be undone."""
    if not re.fullmatch(r"/[A-Za-z0-9._/+-]+", str(place)) or len(str(place)) > LONGEST:
        raise Refused(
            f"Slurm's files and sockets cannot live in {place}:\n"
            f"the path may have {LONGEST} characters, which are letters, digits, and any of . _ / + -\n"
            "Name another directory: make cluster PACKHORSE_CLUSTER=/another/directory"
        )
    cluster = Cluster(place, root=False, accounting=False, memory="none", keep=not passing)
    if os.geteuid() == 0:
        cluster = dataclasses.replace(cluster, root=True, accounting=True, memory="cgroup", users=_names())
        cluster.logins = logins_beside(cluster.users)
        cluster.prefix = prefix_of(cluster.users)
    try:
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as why:
        raise Refused(
            f"{why}\nName another directory: make cluster PACKHORSE_CLUSTER=/another/directory"
        ) from None
    place.chmod(0o755)
    cluster.save()
    return cluster


def _names() -> tuple[str, ...]:
    """Return what the users shall be called."""
    names = tuple((os.environ.get("PACKHORSE_CLUSTER_USERS") or "alice bob").split())
    if not names or not all(re.fullmatch(r"[a-z_][a-z0-9_-]{0,30}", name) for name in names):
        raise Refused(
            "PACKHORSE_CLUSTER_USERS holds names of small letters and digits, such as 'carol dave'."
        )
    return names


def logins_beside(users: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the users with a second factor are called; after the first user, where that is not alice."""
    return tuple(prefix_of(users) + kind for kind in ("duo", "totp", "both"))


def prefix_of(users: tuple[str, ...]) -> str:
    """Return what names begin with that no other cluster of the machine may have: its first user, unless alice.

    A machine has each user once, so that two clusters of root never have the same prefix.
    """
    return "" if users[0] == "alice" else f"{users[0]}-"


def remove(cluster: Cluster) -> None:
    """Remove the directory with everything in it; the description goes last, so that half of it is still ours."""
    for path in cluster.directory.iterdir():
        if path.name == "cluster.json":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.rmtree(cluster.directory)


@contextlib.contextmanager
def turn(place: Path, patience: float = 300) -> Iterator[None]:
    """Let one process at a time bring a cluster up or down. The lock is the folder around it, so no file stays."""
    around = place.parent
    around.mkdir(parents=True, exist_ok=True)
    handle = os.open(around, os.O_RDONLY | os.O_DIRECTORY)
    try:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Refused(
                        f"Another process has been working on {place} for {patience:.0f} s. Try again later."
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def claim(cluster: Cluster) -> bool:
    """Tell whether no test session uses the cluster, and let none begin until this process ends.

    Each session holds a shared lock on the directory.
    """
    handle = os.open(cluster.directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    return True
