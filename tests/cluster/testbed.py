"""The cluster as tests see it: its users, its daemons, and ways to break them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from json_output import check_json

ROOT = Path(__file__).parents[2]
SCRIPT = (sys.executable, str(ROOT / "scripts" / "cluster"))
# Read before tests/conftest.py takes the variables of Packhorse away.
SETTINGS = {name: value for name, value in os.environ.items() if name.startswith("PACKHORSE_CLUSTER")}
DIRECTORY = Path(
    SETTINGS.get("PACKHORSE_CLUSTER")
    or ("/var/lib/packhorse-cluster" if os.geteuid() == 0 else ROOT / ".cluster")
)


def script(
    *words: str, env: Mapping[str, str] | None = None, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run scripts/cluster, as make cluster does."""
    return subprocess.run(
        [*SCRIPT, *words],
        env={**os.environ, **SETTINGS, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


class Cluster:
    """A Slurm that is up, its users, and ways to break it. Everything broken is repaired after the test."""

    _numbers = itertools.count(1)  # of workspaces, in one row for all of a session's objects

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        said = json.loads((directory / "cluster.json").read_text())
        self.one_user: bool = not said["root"]
        self.users: tuple[str, ...] = tuple(said["users"]) or ("me",)
        self.memory_limited_by: str = said["limits"]  # cgroup/v1, cgroup/v2, none
        self.accounting: bool = said["accounting"]
        self.ports: int = said["ports"]
        self.prefix: str = said["prefix"]
        self.broken: set[str] = set()
        self.frozen: set[str] = set()

    def called(self, user: str) -> str:
        """Return what the cluster calls a user; tests say alice and bob, whatever PACKHORSE_CLUSTER_USERS says."""
        if self.one_user:
            return pwd.getpwuid(os.geteuid()).pw_name
        return dict(zip(("alice", "bob"), self.users, strict=False)).get(user, user)

    def node(self, name: str) -> str:
        """Return what Slurm calls a node, such as n1 or n[1-4]; its control groups are called after it."""
        return self.prefix + name

    def environment(self, user: str = "") -> dict[str, str]:
        """Return what a program of a user sees after logging in."""
        path = [self.directory / "packhorse/current/bin", "/usr/local/bin", "/usr/bin", "/bin"]
        name = self.called(user) if user else pwd.getpwuid(os.geteuid()).pw_name
        return {
            "HOME": str(self.home(user)) if user else os.environ.get("HOME", "/"),
            "USER": name,
            "LOGNAME": name,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(map(str, path)),
            "SLURM_CONF": str(self.directory / "etc/slurm.conf"),
        }

    def run(
        self,
        user: str,
        argv: Sequence[str | Path],
        cwd: Path | None = None,
        timeout: float = 120,
        env: Mapping[str, str | None] | None = None,
        host: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as a user of the cluster, in `cwd` (default: the user's home).

        `host` is this machine's name as the program sees it, such as testbed-login; only as root.
        """
        process = self.start_as(user, argv, cwd, env, host)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            pytest.fail(f"{argv} of {user} took longer than {timeout} s\n{out}\n{err}")
        if argv[0] == "packhorse":
            check_json(argv[1:], out)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start_as(
        self,
        user: str,
        argv: Sequence[str | Path],
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        host: str = "",
    ) -> subprocess.Popen[str]:
        """Start a program as a user of the cluster, in a process group of its own, and return it."""
        seen: dict[str, str | None] = {**self.environment(user), **(env or {})}
        entry = None if self.one_user else pwd.getpwnam(self.called(user))
        who = {} if entry is None else {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        if host:
            if entry is None:
                pytest.skip("a host name for one program needs root")
            name_it = 'hostname "$0"; exec setpriv --reuid "$1" --regid "$1" --init-groups -- "${@:2}"'
            argv, who = ["unshare", "--uts", "bash", "-c", name_it, host, entry.pw_name, *argv], {}
        return subprocess.Popen(
            [str(word) for word in argv],
            cwd=cwd or self.home(user),
            env={name: value for name, value in seen.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            umask=0o022,
            **who,
        )

    def ask(self, *argv: str, timeout: float = 60) -> str:
        """Return what a program of Slurm prints to the cluster's administrator; it must succeed."""
        done = subprocess.run(
            argv, env=self.environment(), capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout

    def home(self, user: str) -> Path:
        """Return the home of a user."""
        return self.directory / "home" / ("me" if self.one_user else self.called(user))

    def workspace(self, user: str) -> Path:
        """Return a new folder of a user."""
        top = self.home(user) / "tests"
        place = top / f"{os.getpid()}-{next(self._numbers)}"
        place.mkdir(parents=True)
        self.give(user, top, place)
        return place

    def give(self, user: str, *paths: Path) -> None:
        """Make files and folders a user's own."""
        if not self.one_user:
            for path in paths:
                shutil.chown(path, self.called(user), self.called(user))

    def mails(self) -> list[str]:
        """Return the mails that Slurm sent so far, the oldest first: `To:` and `Subject:` lines and the text."""
        return [path.read_text() for path in sorted((self.directory / "mail").glob("*.mail"))]

    def states(self, job: str) -> list[str]:
        """Return the states of a job, or of its elements, as squeue says within MinJobAge."""
        return self.ask(
            "squeue", "--noheader", "--states=all", "--array", "--format=%T", f"--jobs={job}"
        ).split()

    def nodes_of(self, job: str) -> set[str]:
        """Return the nodes on which a job's elements run or ran, as squeue says within MinJobAge."""
        return set(
            self.ask(
                "squeue", "--noheader", "--states=all", "--array", "--format=%N", f"--jobs={job}"
            ).split()
        )

    def ended(self, job: str, seconds: float = 60) -> list[str]:
        """Wait until a job with all its elements has ended; return its states."""
        going = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "REQUEUED", "SUSPENDED"}
        self.until(f"job {job} has ended", lambda: not going & set(self.states(job)), seconds)
        return self.states(job)

    def until(self, what: str, ready: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something is so, asking five times a second."""
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                squeue, sinfo = self.ask("squeue"), self.ask("sinfo", "--Node", "--long")
                pytest.fail(f"not within {seconds:.0f} s: {what}\n{squeue}\n{sinfo}")
            time.sleep(0.2)

    def kill(self, name: str, *, alone: bool = False) -> None:
        """Kill a daemon (n1, slurmctld ...); a node with its steps and jobs, unless `alone`."""
        self.broken.add(name)
        self._do("kill", name, *(["--alone"] if alone else []))

    def start(self, name: str) -> None:
        """Start a daemon that was killed."""
        self._do("start", name)
        self.broken.discard(name)

    def freeze(self, name: str) -> None:
        """Let a daemon hang."""
        self.frozen.add(name)
        self._do("freeze", name)

    def thaw(self, name: str) -> None:
        """Let a daemon that hangs go on."""
        self._do("thaw", name)
        self.frozen.discard(name)

    def repair(self) -> None:
        """Undo what a test broke and did not mend, and wait until all nodes may be used again."""
        hurt = bool(self.broken or self.frozen)
        for name in sorted(self.frozen - self.broken):
            self.thaw(name)
        self.broken.clear()
        self.frozen.clear()
        if hurt:
            self._do("up", "--passing", "--bare")
        self._clear()

    def _clear(self) -> None:
        """Cancel what a test left behind, and let nodes be used that Slurm took out of use meanwhile."""
        # By their users: elements of an array whose first ones are forgotten are not found by number.
        left = set(self.ask("squeue", "--noheader", "--format=%u").split())
        for user in left:
            self.ask("scancel", f"--user={user}")
        if left:
            self.until("no job is left", lambda: not self.ask("squeue", "--noheader"), 90)
        drained = self.ask("sinfo", "--noheader", "--Node", "--states=drain", "--format=%N").split()
        if drained:
            self.ask("scontrol", "update", f"nodename={','.join(sorted(set(drained)))}", "state=resume")

    def saved(self, since: float) -> bool:
        """Tell whether slurmctld has written down what it knew at a time; killed before, it forgets who runs."""
        return (self.directory / "state" / "job_state").stat().st_mtime > since

    @contextlib.contextmanager
    def changed(self, *, memory: str = "", accounting: str = "") -> Iterator[None]:
        """Have it otherwise for a while: memory none|cgroup, accounting yes|no. Jobs are lost at both ends."""
        before = {
            "--memory": "cgroup" if self.memory_limited_by != "none" else "none",
            "--accounting": "yes" if self.accounting else "no",
        }
        wanted = {"--memory": memory, "--accounting": accounting}
        changed = {name: value for name, value in wanted.items() if value}
        self._switch(changed)
        try:
            yield
        finally:
            self._switch({name: before[name] for name in changed})

    @contextlib.contextmanager
    def partition(self, name: str, *settings: str) -> Iterator[None]:
        """Have one partition more for a while, on the nodes of general; its jobs are lost at the end."""
        self.ask(
            "scontrol",
            "create",
            f"PartitionName={name}",
            f"Nodes={self.node('n[1-4]')}",
            "MaxTime=7-0",
            *settings,
        )
        try:
            yield
        finally:
            self._clear()
            self.ask("scontrol", "delete", f"PartitionName={name}")

    def _switch(self, wanted: Mapping[str, str]) -> None:
        self._do("up", "--passing", "--bare", *(word for pair in wanted.items() for word in pair))
        said = json.loads((self.directory / "cluster.json").read_text())
        self.memory_limited_by, self.accounting = said["limits"], said["accounting"]

    @staticmethod
    def _do(*words: str) -> None:
        done = script(*words)
        assert done.returncode == 0, done.stdout
