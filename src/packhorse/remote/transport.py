"""Transports: run commands and read files on a site's login node, here or over the user's one ssh login."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from packhorse.model.command import Answer, Command
from packhorse.model.site import Site

if TYPE_CHECKING:  # the status of a run on this machine needs no ssh, and starts sooner without it
    from packhorse.ssh.session import Session

READ_BYTES = 1 << 20  # of a file on this machine in one read


class Transport(Protocol):
    """Where a site's commands run and its files are. Everything inside `open` shares one session."""

    site: Site
    file_poll: float  # seconds between two reads of a file that grows

    @property
    def user(self) -> str:
        """The user's name on the site."""

    @property
    def idle_limit(self) -> float | None:
        """Seconds after which the site closes an unused login; None where there is no login to lose."""

    def is_open(self) -> bool:
        """Whether commands can run now, without a new login."""

    def open(self) -> AbstractContextManager[object]:
        """Return a context in which all commands share one session."""

    def identify(self, programs: list[str]) -> None:
        """Learn the user's name on the site and the paths of these programs."""

    def run_command(self, command: Command) -> Answer:
        """Run a command on the login node."""

    def prefetch(self, command: Command) -> None:
        """Start a command whose answer `run_command` will read, so that it shares a round trip."""

    def file_size(self, path: str) -> int | None:
        """Return the bytes of a file; None where there is no such file."""

    def read_file(self, path: str, offset: int) -> bytes:
        """Return the bytes of a file from an offset on; nothing where there is no such file."""

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents; one that exists is left as it is."""


class LocalTransport:
    """This machine: a login node of the site, or one that sees its scheduler."""

    file_poll = 2.0
    idle_limit: float | None = None

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def user(self) -> str:
        """The user's name."""
        return pwd.getpwuid(os.getuid()).pw_name

    def is_open(self) -> bool:
        """Return True: this machine needs no login."""
        return True

    @contextmanager
    def open(self) -> Iterator[LocalTransport]:
        """Open nothing: commands run here."""
        yield self

    def identify(self, programs: list[str]) -> None:
        """Do nothing: programs are found on the PATH."""

    def run_command(self, command: Command) -> Answer:
        """Run a command."""
        from packhorse.runtime.dialogue import run_command

        return run_command(command)

    def prefetch(self, command: Command) -> None:
        """Do nothing: there is no round trip to share."""

    def file_size(self, path: str) -> int | None:
        """Return the bytes of a file; None where it cannot be read."""
        try:
            return Path(path).stat().st_size
        except OSError:
            return None

    def read_file(self, path: str, offset: int) -> bytes:
        """Return up to READ_BYTES of a file from an offset on."""
        try:
            with Path(path).open("rb") as stream:
                stream.seek(offset)
                return stream.read(READ_BYTES)
        except OSError:
            return b""

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents."""
        Path(path).mkdir(parents=True, exist_ok=True)


class SshTransport:
    """A login node, over the control master that the user opened with `packhorse connect`."""

    file_poll = 5.0

    def __init__(self, site: Site, destination: str) -> None:
        from packhorse.project.cache_dir import cache_dir
        from packhorse.ssh.login import login_to

        self.site = site
        self.login = login_to(site.name, destination, cache_dir())
        self.hello: dict[str, Any] = {}  # the remote agent's answer to `identify` or `locate`
        self._session: Session | None = None
        self._prefetched: dict[tuple[str, ...], int] = {}  # request numbers, by argv

    @property
    def user(self) -> str:
        """The user's name on the site, known after `identify` or `locate`."""
        return str(self.hello["user"])

    @property
    def idle_limit(self) -> float | None:
        """Seconds after which the site closes an unused login; None where the user asked to keep it open."""
        return None if self.login.keep_file.exists() else self.site.idle

    @property
    def session(self) -> Session:
        """The session of the surrounding `open`."""
        assert self._session is not None, "a session is open only inside `open`"
        return self._session

    def is_open(self) -> bool:
        """Whether the control master is alive."""
        return self.login.alive()

    @contextmanager
    def open(self) -> Iterator[SshTransport]:
        """Open one session for everything inside; where one is open, use that."""
        if self._session is not None:
            yield self
            return
        from packhorse.ssh.session import Session

        with Session(self.login, self.site.sessions) as session:
            self._session = session
            try:
                yield self
            finally:
                self._session = None
                self._prefetched.clear()

    def identify(self, programs: list[str]) -> None:
        """Ask the remote agent for the user, the host and the paths of programs."""
        self.locate(programs, [])

    def locate(self, programs: list[str], paths: list[str]) -> dict[str, Any]:
        """Return user and host there, where programs are, and what paths expand to and hold."""
        with self.open():
            self.hello = self.session.call("hello", programs=programs, paths=paths)
        return self.hello

    def run_command(self, command: Command) -> Answer:
        """Run a command there, in the environment of a login shell where a plain one finds no scheduler."""
        with self.open():
            number = self._prefetched.pop(command.argv, None) or self.session.start_command(command)
            return self.session.command_result(number, command)

    def prefetch(self, command: Command) -> None:
        """Send a command now, and read its answer in `run_command`."""
        self._prefetched[command.argv] = self.session.start_command(command)

    def file_size(self, path: str) -> int | None:
        """Return the bytes of a file there; None where there is no such file."""
        listing = self.session.call("list", path=path)
        return int(listing["files"][0][1]) if listing["kind"] == "file" else None

    def read_file(self, path: str, offset: int) -> bytes:
        """Return all bytes of a file there from an offset on."""
        from packhorse.ssh.file_transfer import stream_files

        return b"".join(
            block for _, blocks in stream_files(self.session, path, [("", offset)]) for block in blocks
        )

    def make_folder(self, path: str) -> None:
        """Make a folder and its parents there."""
        self.session.call("claim", path=path)


def transport_for(site: Site) -> LocalTransport | SshTransport:
    """Return the transport of a site: ssh where the site has a login and this machine is not one of its login nodes."""
    import platform

    if not site.login or site.scheduler == "local" or site.has_login(platform.node()):
        return LocalTransport(site)
    return SshTransport(site, site.login)
