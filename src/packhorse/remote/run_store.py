"""Where a run lives: a directory on this file system, or one on a site with a copy here.

Every reader of a run reads its directory here. For a run on a site, the store downloads what is new there
and uploads what was written here; for a run on this file system it has nothing to do.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from packhorse.model.command import Command
from packhorse.remote.transport import Transport
from packhorse.rundir.directory import RunDirectory

# An upload of more bytes is announced; artifacts of more are downloaded only when asked for.
ANNOUNCE_BYTES = 100 << 20


class RunStore(ABC):
    """The store of one run, reached over `transport`."""

    cheap_to_poll: bool  # whether reading the journals costs no round trip

    def __init__(self, run: RunDirectory, transport: Transport) -> None:
        self.run, self.transport = run, transport

    @property
    @abstractmethod
    def path(self) -> str:
        """The run directory, as the site's nodes see it."""

    @property
    @abstractmethod
    def python(self) -> str:
        """The interpreter of the worker."""

    @property
    @abstractmethod
    def remote_folder(self) -> str:
        """The run directory on a site reached over ssh; empty for a run on this file system."""

    @property
    @abstractmethod
    def remote_python(self) -> str:
        """The interpreter on a site reached over ssh; empty for a run on this file system."""

    @property
    def remote_site(self) -> str:
        """The site that holds the run directory; empty for a run on this file system."""
        return self.transport.site.name if self.remote_folder else ""

    @contextmanager
    def open(self) -> Iterator[None]:
        """Share one session among all calls inside."""
        with self.transport.open():
            yield

    @abstractmethod
    def refresh(self, commands: Callable[[], Iterable[Command]] = tuple) -> None:
        """Download the small files of a run; `commands` are started in the same round trip, where there is one."""

    @abstractmethod
    def fetch_records(self) -> None:
        """Download new bytes of journals and logs."""

    @abstractmethod
    def fetch_artifacts(self, most: int | None = None) -> str:
        """Download the artifacts of tasks; where they have more than `most` bytes, return a sentence that says so."""

    def fetch_all(self, most: int | None = ANNOUNCE_BYTES) -> str:
        """Download what is new: small files, journals, logs, artifacts; return a sentence about what was not."""
        with self.open():
            self.refresh()
            self.fetch_records()
            return self.fetch_artifacts(most)

    @abstractmethod
    def upload_changes(self, announce: Callable[[str], None]) -> None:
        """Upload every file of the run that the site needs and lacks; `announce` a large upload."""

    @abstractmethod
    def upload(self, *names: str) -> None:
        """Upload small files of the run directory now."""

    @abstractmethod
    def delete(self, *names: str) -> None:
        """Delete files of the run directory on the site."""

    @abstractmethod
    def claim_wave(self, wave: int) -> bool:
        """Make the folder of a wave on the site; return False where another command made it first."""

    @abstractmethod
    def transferred(self) -> dict[str, dict[str, int]]:
        """Return the bytes of the open session for `status`; nothing for a run on this file system."""

    @abstractmethod
    def detach(self) -> str:
        """Download everything before the run continues elsewhere; return a sentence on what stays on the site."""

    @abstractmethod
    def remote_size(self) -> tuple[int, int]:
        """Return the bytes and files of the run directory on the site."""

    @abstractmethod
    def remove_remote(self) -> bool:
        """Remove the run directory on the site; return whether there was one."""

    @abstractmethod
    def make_log_folder(self) -> None:
        """Make the folder of logs where it is missing."""

    @abstractmethod
    def discard_wave(self, wave: int) -> None:
        """Remove a wave that was never submitted."""


class LocalRunStore(RunStore):
    """A run on this file system."""

    cheap_to_poll = True
    remote_folder = ""
    remote_python = ""

    @property
    def path(self) -> str:
        """The run directory."""
        return str(self.run.path)

    @property
    def python(self) -> str:
        """The interpreter of the worker."""
        return sys.executable

    def refresh(self, commands: Callable[[], Iterable[Command]] = tuple) -> None:
        """Do nothing: the files are here."""

    def fetch_records(self) -> None:
        """Do nothing: the files are here."""

    def fetch_artifacts(self, most: int | None = None) -> str:  # noqa: ARG002 - the files are here
        """Do nothing: the files are here."""
        return ""

    def upload_changes(self, announce: Callable[[str], None]) -> None:
        """Do nothing: the files are here."""

    def upload(self, *names: str) -> None:
        """Do nothing: the files are here."""

    def delete(self, *names: str) -> None:
        """Do nothing: the caller deletes the files here."""

    def claim_wave(self, wave: int) -> bool:  # noqa: ARG002 - the folder here is the only one
        """Return True: the folder here is the only one."""
        return True

    def transferred(self) -> dict[str, dict[str, int]]:
        """Return nothing."""
        return {}

    def detach(self) -> str:
        """Do nothing: the files are here."""
        return ""

    def remote_size(self) -> tuple[int, int]:
        """Return zeros."""
        return 0, 0

    def remove_remote(self) -> bool:
        """Return False: there is nothing on a site."""
        return False

    def make_log_folder(self) -> None:
        """Make the folder of logs where it is missing."""
        (self.run.path / "logs").mkdir(exist_ok=True)

    def discard_wave(self, wave: int) -> None:
        """Remove a wave that was never submitted."""
        self.run.discard_wave(wave)
