"""This machine as a place to run: how much it can do at a time, and its worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

WORKER_PATIENCE = 30.0  # seconds a worker may take to end its tasks after it was asked to


def usable_cores() -> int:
    """Return the cores we may use: the affinity, or the cgroup's CPU limit where that is less."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup("cpu.max")
    if quota is not None:
        words = quota.split()
        if len(words) == 2 and words[0] != "max":
            return max(1, min(affinity, int(words[0]) // int(words[1]) or 1))
    return affinity


def available_memory() -> int | None:
    """Return the memory available now, in MiB, or None where nothing tells."""
    found: list[int] = []
    try:
        for row in Path("/proc/meminfo").read_text().splitlines():
            if row.startswith("MemAvailable:"):
                found.append(int(row.split()[1]) // 1024)
    except OSError:
        pass
    limit = _cgroup("memory.max")
    if limit is not None and limit.strip().isdigit():
        found.append(int(limit) >> 20)
    return min(found) if found else None


def _cgroup(name: str) -> str | None:
    """Return a limit of our cgroup (version 2): the kernel's cgroup-v2 documentation."""
    try:
        for row in Path("/proc/self/cgroup").read_text().splitlines():
            if row.startswith("0::"):
                return (Path("/sys/fs/cgroup") / row[3:].lstrip("/") / name).read_text()
    except OSError:
        pass
    return None


class LocalWorker:
    """A worker process of this machine, attached to us: it stops when we are gone."""

    def __init__(
        self,
        directory: Path,
        work_file: Path,
        *,
        slots: int,
        lock: int,
        scratch: Path,
        seconds: float = 0.0,
    ) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-S", "-E", str(directory / "worker.pyz"), "work", str(work_file)]
        argv += ["--slots", str(slots), "--scratch", str(scratch), "--attached"]
        if seconds:
            argv += ["--seconds", str(seconds), "--margin", "0"]
        self.log = (directory / "logs" / "worker.log").open("ab")
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            start_new_session=True,
            pass_fds=[lock],
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.buffer = b""

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what the worker has said since the last look."""
        assert self.process.stdout is not None
        data = self.process.stdout.read()
        self.buffer += data or b""
        *rows, self.buffer = self.buffer.split(b"\n")
        for row in rows:
            try:
                yield msgspec.json.decode(row)
            except msgspec.MsgspecError:
                continue

    def alive(self) -> bool:
        """Tell whether it still works."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask it to end its tasks, keep what is finished, and go."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)

    def wait(self, watch: Callable[[], None]) -> int:
        """Wait for its end, looking around now and then; kill it when it does not come."""
        give_up = time.monotonic() + WORKER_PATIENCE
        while self.alive():
            watch()
            if time.monotonic() > give_up:
                self.process.kill()
            time.sleep(0.05)
        return self.process.wait()

    def close(self) -> None:
        """Free the pipes."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.log.close()
