"""Ending what a killed run left behind, found by the run's mark in the processes' environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 10.0  # seconds until the killed must be gone


def end_survivors(mark: str) -> int:
    """Kill every process of this user that a task of this run started; return how many there were."""
    ended: set[int] = set()
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        found = _find(mark)
        if not found:
            break
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
                ended.add(pid)
            except OSError:
                continue
        time.sleep(0.02)
    return len(ended)


def _find(mark: str) -> list[int]:
    marker = f"PACKHORSE_RUN={mark}"
    if sys.platform.startswith("linux"):
        return [pid for pid in _own_processes() if _is_marked(pid, marker.encode())]
    # ps(1) on macOS: -E shows the environment of the user's own processes.
    said = subprocess.run(
        ["ps", "-x", "-E", "-o", "pid=,command="], capture_output=True, text=True, timeout=20, check=False
    )
    rows = [row.split(None, 1) for row in said.stdout.splitlines() if marker in row]
    return [int(row[0]) for row in rows if int(row[0]) != os.getpid()]


def _own_processes() -> list[int]:
    return [
        int(one.name)
        for one in Path("/proc").iterdir()
        if one.name.isdigit() and int(one.name) != os.getpid()
    ]


def _is_marked(pid: int, marker: bytes) -> bool:
    try:
        with Path(f"/proc/{pid}/environ").open("rb") as stream:
            return marker in stream.read().split(b"\0")
    except OSError:
        return False
