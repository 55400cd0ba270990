"""packhorse connect."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.cli.output import as_object, json_option, note, say
from packhorse.remote.sharing import check_sharing

if TYPE_CHECKING:
    from packhorse.remote.connection import Connection


@click.command(name="connect")
@click.argument("site")
@click.option("--check", "only_check", is_flag=True, help="Say how the connection stands, and open none.")
@click.option("--close", "only_close", is_flag=True, help="Close it.")
@click.option("--keep", is_flag=True, help="Let `run` look on for longer than the site lets a login be idle.")
@json_option
def connect_command(site: str, only_check: bool, only_close: bool, keep: bool, as_json: bool) -> None:
    """Log in to a site, once: everything else rides on this connection.

    ssh asks in this terminal for what the site wants: a password, a code, a push. Packhorse does not
    see the answers, keeps nothing, and never logs in by itself.
    """
    check_sharing(sys.platform)
    from packhorse.remote.connection import check, closing, connect, disconnect, keep_in_use, trouble

    folder = Path.cwd()
    if only_close:
        found, was_there = disconnect(site, folder)
        if as_json:
            as_object({"site": found.name, "closed": was_there})
        else:
            say(f"closed the connection to {found.name}" if was_there else f"not connected to {found.name}")
        return
    if not only_check:
        keep_in_use(site, folder, keep=keep)
    connection, before = (check(site, folder), True) if only_check else connect(site, folder, note)
    if as_json:
        as_object(_about(connection))
    elif connection.look.state in ("open", "busy"):
        say(f"{'connected' if not before else 'you are connected'} to {_where(connection)}")
        say(f"  {closing(connection)}; packhorse connect {connection.site.name} --close closes it now")
        if connection.look.noise:
            line = connection.look.noise.splitlines()[0]
            note(
                f"note: files of your login there print text in plain commands ({line}), which breaks scp and sftp"
            )
    lame = trouble(connection)
    if lame is not None:
        raise lame


def _about(connection: Connection) -> dict[str, Any]:
    look = connection.look
    return {
        "site": connection.site.name,
        "login": connection.login.destination,
        "state": look.state,
        "user": look.user,
        "host": look.host,
        "closes_after": connection.idle,
    }


def _where(connection: Connection) -> str:
    look, name = connection.look, connection.site.name
    if look.state == "busy":
        return f"{name}; all its sessions are in use just now"
    return f"{name} as {look.user} on {look.host}"
