"""Where a run lives: on this file system, or on a site's, with a mirror here of what it has told so far.

Whatever is read of a run is read from its directory here; a carrier sees to it that what is new has come, and that what
is written here gets there. For a run on this file system there is nothing to carry.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from packhorse.app.reach import Here, There
from packhorse.model.command import Command
from packhorse.run.directory import RunDirectory
from packhorse.run.submissions import Submissions

# Bytes before whose sending their number is told; artifacts of more come only when they are asked for.
MUCH = 100 << 20


class Carrier:
    """A run on this file system."""

    far = False

    def __init__(self, run: RunDirectory, how: Here | There) -> None:
        self.run, self.reach = run, how

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
        with self.reach.open():
            yield

    def look(self, *commands: Command) -> None:
        """Bring what a run tells in a few bytes; the commands travel along, to be asked next."""

    def bring(self) -> None:
        """Bring all of its journals and logs."""

    def artifacts(self, most: int | None = None) -> str:  # noqa: ARG002 - nothing has to be brought
        """Bring the files that tasks were asked to keep, unless they have more than so many bytes; say so then."""
        return ""

    def bring_all(self, most: int | None = MUCH) -> str:
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


def carrier_of(run: RunDirectory, how: Here | There | None = None) -> Carrier:
    """Return the carrier of a run that was submitted, by what its directory says of it."""
    cluster = Submissions(run).cluster()
    if cluster is None or not cluster.folder:
        return Carrier(run, how or Here(cluster.site if cluster else _nowhere()))
    from packhorse.app.mirror import FarCarrier

    there = how if isinstance(how, There) else There(cluster.site, cluster.site.login)
    there.hello.setdefault("user", cluster.user)
    return FarCarrier(run, there, cluster.folder, cluster.python)


def _nowhere() -> Any:
    from packhorse.model.site import Site

    return Site(name="local", scheduler="local")
