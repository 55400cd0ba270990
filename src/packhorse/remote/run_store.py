"""The store of a run: its directory on this file system."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from packhorse.model.command import Command
from packhorse.remote.transport import LocalTransport, SshTransport
from packhorse.rundir.directory import RunDirectory

# Bytes before whose sending their number is told; artifacts of more come only when they are asked for.
ANNOUNCE_BYTES = 100 << 20


class RunStore:
    """A run on this file system."""

    far = False

    def __init__(self, run: RunDirectory, how: LocalTransport | SshTransport) -> None:
        self.run, self.transport = run, how

    @property
    def path(self) -> str:
        """The run directory, as the site's nodes see it."""
        return str(self.run.path)

    @property
    def python(self) -> str:
        """The interpreter of the worker."""
        return sys.executable

    @contextmanager
    def open(self) -> Iterator[None]:
        """Share one session among all that happens inside."""
        with self.transport.open():
            yield

    def look(self, *commands: Command) -> None:
        """Bring what a run tells in a few bytes; the commands travel along, to be asked next."""

    def bring(self) -> None:
        """Bring all of its journals and logs."""

    def artifacts(self, most: int | None = None) -> str:  # noqa: ARG002 - nothing has to be brought
        """Bring the files that tasks were asked to keep, unless they have more than so many bytes; say so then."""
        return ""

    def bring_all(self, most: int | None = ANNOUNCE_BYTES) -> str:
        """Bring what is new: small files, journals, logs, artifacts; return a sentence about what stayed there."""
        with self.open():
            self.look()
            self.bring()
            return self.artifacts(most)

    def send(self, told: Callable[[str], None]) -> None:
        """Send all that the site needs and has not."""

    def put(self, *names: str) -> None:
        """Send files of the run directory now."""

    def drop(self, *names: str) -> None:
        """Remove files of the run directory there."""

    def claim(self, wave: int) -> bool:  # noqa: ARG002 - its folder here is the only one
        """Make a wave's folder there; tell whether nobody else did."""
        return True

    def carried(self) -> dict[str, int]:
        """Return the bytes that travelled in the session that is open."""
        return {}

    def keeps_login(self) -> bool:
        """Tell whether the user wants the login to be kept in use for as long as somebody looks."""
        return True

    def leave(self) -> str:
        """Bring all that the run has elsewhere, before it goes on in another place; return a sentence about what stays."""
        return ""

    def extent(self) -> tuple[int, int]:
        """Return the bytes and files that the run has elsewhere."""
        return 0, 0

    def remove(self) -> bool:
        """Remove what the run has elsewhere; tell whether there was anything."""
        return False

    def make_logs(self) -> None:
        """Make the folder of logs, should it be missing."""
        (self.run.path / "logs").mkdir(exist_ok=True)

    def forget_wave(self, wave: int) -> None:
        """Remove a wave that never was."""
        shutil.rmtree(self.run.path / "waves" / str(wave), ignore_errors=True)
