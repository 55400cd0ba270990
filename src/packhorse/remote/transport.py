"""How a site is reached: from its own login node, or from a laptop over the user's one login."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from packhorse.model.command import Answer, Command
from packhorse.model.site import Site

if TYPE_CHECKING:  # status of a run of this machine needs none of it, and starts sooner
    from packhorse.ssh.session import Session


class Transport(Protocol):
    """Where a site's commands run. All that happens inside `open` shares one session."""

    site: Site
    far: bool

    @property
    def user(self) -> str:
        """The user's name there."""

    def open(self) -> Any:
        """Return a context in which everything is asked in one session."""

    def ask(self, command: Command) -> Answer:
        """Run a command there."""

    def ahead(self, command: Command) -> None:
        """Announce a command that will be asked, so that it travels with the next question."""


class LocalTransport:
    """This machine, which is a login node of the site or one that sees its scheduler."""

    far = False

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def user(self) -> str:
        """The user's name."""
        return pwd.getpwuid(os.getuid()).pw_name

    @contextmanager
    def open(self) -> Iterator[LocalTransport]:
        """Nothing has to be opened."""
        yield self

    def ask(self, command: Command) -> Answer:
        """Run a command."""
        from packhorse.runtime.dialogue import run_command

        return run_command(command)

    def ahead(self, command: Command) -> None:
        """Nothing travels."""


class SshTransport:
    """A login node, over the master connection that the user opened with `packhorse connect`."""

    far = True

    def __init__(self, site: Site, destination: str) -> None:
        from packhorse.project.cache_dir import cache_dir
        from packhorse.ssh.login import login_to

        self.site = site
        self.login = login_to(site.name, destination, cache_dir())
        self.hello: dict[str, Any] = {}
        self._session: Session | None = None
        self._ahead: dict[tuple[str, ...], int] = {}  # by argv

    @property
    def user(self) -> str:
        """The user's name there, once somebody said hello."""
        return str(self.hello["user"])

    @property
    def session(self) -> Session:
        """The session that is open."""
        assert self._session is not None, "a session is open only inside `open`"
        return self._session

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
                self._ahead.clear()

    def say_hello(self, programs: list[str], paths: list[str]) -> dict[str, Any]:
        """Return who and where we are there, where programs are, and what paths mean and hold."""
        with self.open():
            self.hello = self.session.call("hello", programs=programs, paths=paths)
        return self.hello

    def ask(self, command: Command) -> Answer:
        """Run a command there, in the environment of a login shell where a plain one knows no scheduler."""
        with self.open():
            number = self._ahead.pop(command.argv, None) or self.session.start_command(command)
            return self.session.command_result(number, command)

    def ahead(self, command: Command) -> None:
        """Send a command now, whose answer is read when it is asked."""
        self._ahead[command.argv] = self.session.start_command(command)


def transport_for(site: Site) -> LocalTransport | SshTransport:
    """Return how a site is reached from this machine."""
    import platform

    if not site.login or site.scheduler == "local" or site.has_login(platform.node()):
        return LocalTransport(site)
    return SshTransport(site, site.login)
