"""Open, check and close the connection to a site."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from packhorse.model.json_output import JsonOutput
from packhorse.remote import connection
from packhorse.remote.connection import Connection


class ConnectionStatus(JsonOutput, frozen=True, kw_only=True, tag="packhorse-connect/1"):
    """The connection to a site."""

    site: Annotated[str, Meta(description="The site's name.")]
    login: Annotated[str, Meta(description="The destination that ssh gets.")]
    state: Annotated[str, Meta(description="open, busy, closed, silent or mute.")]
    user: Annotated[str, Meta(description="The user's name there.")]
    host: Annotated[str, Meta(description="The login node.")]
    closes_after: Annotated[int, Meta(description="Seconds without use after which it closes.")]


class ClosedConnection(JsonOutput, frozen=True, kw_only=True, tag="packhorse-disconnect/1"):
    """The result of `packhorse connect --close`."""

    site: Annotated[str, Meta(description="The site's name.")]
    closed: Annotated[bool, Meta(description="Whether there was a connection.")]


def connect(site: str, folder: Path, notify: Callable[[str], None], *, keep: bool) -> tuple[Connection, bool]:
    """Open the connection to a site; return it, and whether it was open already.

    With `keep`, `run` monitors for longer than the site allows an idle login.
    """
    connection.keep_in_use(site, folder, keep=keep)
    return connection.connect(site, folder, notify)


def check(site: str, folder: Path) -> Connection:
    """Return the state of the connection to a site."""
    return connection.check(site, folder)


def close(site: str, folder: Path) -> ClosedConnection:
    """Close the connection to a site."""
    found, was_open = connection.disconnect(site, folder)
    return ClosedConnection(site=found.name, closed=was_open)


def json_output(found: Connection) -> ConnectionStatus:
    """Return what `--json` prints."""
    return ConnectionStatus(
        site=found.site.name,
        login=found.login.destination,
        state=found.look.state,
        user=found.look.user,
        host=found.look.host,
        closes_after=found.idle,
    )
