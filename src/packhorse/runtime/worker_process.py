"""The worker process that runs tasks on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

STOP_SECONDS = 30.0  # for a worker to end its tasks after SIGTERM


class WorkerProcess:
    """A worker process of this machine, attached to us: it stops when this process ends.

    With the option `--stream`, it runs the tasks that `send` names, and waits for more.
    """

    def __init__(
        self,
        directory: Path,
        work_file: Path,
        *,
        slots: int,
        lock: int,
        scratch: Path,
        options: Sequence[str] = (),
    ) -> None:
        argv = [sys.executable, "-S", "-E", str(directory / "worker.pyz"), "work", str(work_file)]
        argv += ["--slots", str(slots), "--scratch", str(scratch), "--attached", *options]
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
        """Yield the events that the worker has reported since the last call."""
        assert self.process.stdout is not None
        data = self.process.stdout.read()
        self.buffer += data or b""
        *rows, self.buffer = self.buffer.split(b"\n")
        for row in rows:
            try:
                yield msgspec.json.decode(row)
            except msgspec.MsgspecError:
                continue

    def send(self, message: dict[str, Any]) -> None:
        """Send a line to a worker that reads its tasks from us; nothing where it has died."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(msgspec.json.encode(message) + b"\n")
            self.process.stdin.flush()
        except OSError:
            pass  # `alive` tells

    def alive(self) -> bool:
        """Return whether the process is running."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask the worker to end its tasks, record the finished ones, and exit."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)

    def wait(self, watch: Callable[[], None]) -> int:
        """Wait for the process to exit, and return its exit status; kill it after STOP_SECONDS.

        `watch` is called at every poll.
        """
        give_up = time.monotonic() + STOP_SECONDS
        while self.alive():
            watch()
            if time.monotonic() > give_up:
                self.process.kill()
            time.sleep(0.05)
        return self.process.wait()

    def close(self) -> None:
        """Close the pipes and the log."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.log.close()
