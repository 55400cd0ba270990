"""Locks that the kernel releases when their last holder exits, also when it is killed."""

from __future__ import annotations

import fcntl
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packhorse.model.errors import RunError


class RunLock:
    """The lock of a run directory: one `packhorse run` at a time.

    It is held by flock(2) on the file `lock`, which contains the process id of its holder. The worker inherits the
    descriptor, so the lock stays held while the worker of a killed `run` still ends its tasks.
    """

    def __init__(self, directory: Path, patience: float = 15.0, *, wait: bool = False) -> None:
        self.path = directory / "lock"
        self.patience = patience  # seconds
        self.wait = wait  # also for a holder that is alive
        self.descriptor = -1

    def __enter__(self) -> RunLock:
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up = time.monotonic() + self.patience
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # The worker of a killed `run` needs a moment to notice and to end its tasks.
                if not (self.wait or self._holder_is_gone()) or time.monotonic() > give_up:
                    self._refuse()
                time.sleep(0.1)
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def _holder_is_gone(self) -> bool:
        holder = _read_holder(self.descriptor)
        if holder is None:
            return True
        try:
            os.kill(holder, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _refuse(self) -> None:
        holder = _read_holder(self.descriptor)
        os.close(self.descriptor)
        message = f"another `packhorse run` is using {self.path.parent}"
        if holder is not None:
            message += f" (process {holder})"
        run = shlex.quote(str(self.path.parent))
        raise RunError(message, f"packhorse status {run}, or packhorse cancel {run}")

    def name_process(self, process: int) -> None:
        """Write another process into the lock: the one that `packhorse cancel` ends."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{process}\n".encode(), 0)

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


@contextmanager
def exclusive_lock(path: Path, seconds: float) -> Iterator[None]:
    """Hold a lock on a file; continue without it after `seconds`, since its holder then hangs."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    give_up = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    break
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def lock_holder(directory: Path) -> int | None:
    """Return the process id that holds a run's lock, 0 where the id is unknown, or None where the lock is free."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _read_holder(descriptor) or 0
    finally:
        os.close(descriptor)


def _read_holder(descriptor: int) -> int | None:
    """Return the process id written in a lock file, or None where there is none."""
    fields = os.pread(descriptor, 32, 0).split()
    return int(fields[0]) if fields and fields[0].isdigit() else None
