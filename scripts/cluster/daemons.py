"""Starting programs in the background and ending them: by a recorded process that is proved to be ours."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from place import Cluster, Refused


def birth(pid: int) -> int | None:
    """Return when a process began, in ticks since boot (proc_pid_stat(5)), or None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def alive(cluster: Cluster, name: str) -> int | None:
    """Return the process of a daemon that we started, or None. A number alone proves nothing: they are used again."""
    try:
        said = json.loads(cluster.path("pids", f"{name}.json").read_text())
    except FileNotFoundError:
        return None
    pid = int(said["pid"])
    return pid if birth(pid) == said["birth"] else None


def recorded(cluster: Cluster) -> list[str]:
    """Return the names of the daemons that were started and not stopped."""
    return [path.stem for path in cluster.path("pids").glob("*.json")]


def log(cluster: Cluster, name: str) -> Path:
    """Return where a daemon's own output goes."""
    return cluster.path("log", f"{name}.out")


def start(
    cluster: Cluster,
    name: str,
    argv: Sequence[str | Path],
    *,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Start a daemon in the foreground, in a session of its own, and record it. `user` counts only as root."""
    if alive(cluster, name):
        return
    with log(cluster, name).open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in argv],
            cwd="/",
            env={**cluster.environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o022,
            **as_user(user if cluster.root else None),
        )
    record = {"pid": process.pid, "birth": birth(process.pid)}
    cluster.path("pids", f"{name}.json").write_text(json.dumps(record))
    if process.poll() is not None:
        raise failed(cluster, name, "ended at once")


def as_user(user: str | None) -> dict[str, Any]:
    """Return the arguments of Popen that make a process another user's."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def failed(cluster: Cluster, name: str, what: str) -> Refused:
    """Return the refusal that shows the end of what a daemon said."""
    said = log(cluster, name)
    lines = said.read_text(errors="replace").strip().splitlines()[-14:] if said.exists() else []
    return Refused("\n".join([f"{name} {what}. The last lines of {said}:", *lines]))


def wait(what: str, ready: Callable[[], bool], *, seconds: float, pause: float = 0.05) -> None:
    """Wait until something is so; raise Refused when it is not in time."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Refused(f"{what}: not within {seconds:.0f} s.")
        time.sleep(pause)


def ready(cluster: Cluster, name: str, answers: Callable[[], bool], *, seconds: float) -> None:
    """Wait until a daemon answers; raise Refused with its last words when it ends, or is not in time."""
    try:
        wait(f"{name} answers", lambda: not alive(cluster, name) or answers(), seconds=seconds)
    except Refused as late:
        raise failed(cluster, name, "does not answer") from late
    if not alive(cluster, name):
        raise failed(cluster, name, "has ended")


def end(pids: Iterable[int], *, first: signal.Signals = signal.SIGTERM, patience: float = 15) -> None:
    """Signal processes, wait until they are gone, and kill what is left."""
    handles = {}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handles[pid] = os.pidfd_open(pid)
    try:
        _signal(handles.values(), first)
        left = _wait(handles.values(), patience)
        _signal(left, signal.SIGKILL)
        if _wait(left, 5):
            raise Refused("Some processes cannot be ended, even by SIGKILL: " + " ".join(map(str, handles)))
    finally:
        for handle in handles.values():
            os.close(handle)


def _signal(handles: Iterable[int], number: signal.Signals) -> None:
    for handle in handles:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, number)
            signal.pidfd_send_signal(handle, signal.SIGCONT)  # a stopped process does not see the first


def _wait(handles: Iterable[int], patience: float) -> list[int]:
    """Wait until processes have ended; return those that have not."""
    left = set(handles)
    poll = select.poll()
    for handle in left:
        poll.register(handle, select.POLLIN)  # readable: it has ended (pidfd_open(2))
    deadline = time.monotonic() + patience
    while left and (rest := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(rest * 1000):
            poll.unregister(handle)
            left.discard(handle)
    return list(left)


def stop(cluster: Cluster, *names: str, patience: float = 15) -> None:
    """End daemons that we started, together, and forget them."""
    end([pid for name in names if (pid := alive(cluster, name))], patience=patience)
    for name in names:
        cluster.path("pids", f"{name}.json").unlink(missing_ok=True)
