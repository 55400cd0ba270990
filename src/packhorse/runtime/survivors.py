"""Processes that outlived a killed run, found by the run's mark in their environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

KILL_SECONDS = 10.0  # to repeat the search until killed processes are gone


def end_survivors(mark: str) -> int:
    """Kill all processes of this user that tasks of the run `mark` started; return their number."""
    killed: set[int] = set()
    give_up = time.monotonic() + KILL_SECONDS
    while time.monotonic() < give_up:
        pids = _find_marked(mark)
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            except OSError:
                continue
        time.sleep(0.02)
    return len(killed)


def _find_marked(mark: str) -> list[int]:
    variable = f"PACKHORSE_RUN={mark}"
    if sys.platform.startswith("linux"):
        others = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return [pid for pid in others if pid != os.getpid() and _has_variable(pid, variable.encode())]
    # ps(1) on macOS: -E shows the environment of the user's own processes.
    done = subprocess.run(
        ["ps", "-x", "-E", "-o", "pid=,command="], capture_output=True, text=True, timeout=20, check=False
    )
    rows = [row.split(None, 1) for row in done.stdout.splitlines() if variable in row]
    return [int(row[0]) for row in rows if int(row[0]) != os.getpid()]


def _has_variable(pid: int, variable: bytes) -> bool:
    try:
        with Path(f"/proc/{pid}/environ").open("rb") as stream:
            return variable in stream.read().split(b"\0")
    except OSError:
        return False
