"""One `run` at a time: a lock that the kernel frees when its holders are gone, however they went."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packhorse.model.errors import RunError


class RunLock:
    """Held by flock(2) on `lock`; a worker inherits it, so a dead parent's worker still counts."""

    def __init__(self, directory: Path, patience: float = 15.0, *, wait: bool = False) -> None:
        self.path = directory / "lock"
        self.patience = patience
        self.wait = wait  # for a holder that is alive, too
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
        holder = self._holder()
        if holder is None:
            return True
        try:
            os.kill(holder, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _holder(self) -> int | None:
        said = os.pread(self.descriptor, 32, 0).split()
        return int(said[0]) if said and said[0].isdigit() else None

    def _refuse(self) -> None:
        holder = self._holder()
        os.close(self.descriptor)
        message = f"another `packhorse run` works on {self.path.parent}"
        if holder is not None:
            message += f" (process {holder})"
        raise RunError(
            message, f"packhorse status {self.path.parent}, or packhorse cancel {self.path.parent}"
        )

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


@contextmanager
def exclusive_lock(path: Path, seconds: float) -> Iterator[None]:
    """Hold a file's lock; after so many seconds go on without it, since whoever holds it hangs."""
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
    """Return the process that works on a run now, or None; 0 when it is there and unknown."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        said = os.pread(descriptor, 32, 0).split()
        return int(said[0]) if said and said[0].isdigit() else 0
    finally:
        os.close(descriptor)
