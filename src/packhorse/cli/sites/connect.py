"""packhorse connect."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.sites.connect import check, close, connect, json_output
from packhorse.cli.output import json_option, note, print_json, say
from packhorse.cli.windows_check import refuse_windows
from packhorse.remote.connection import Connection, closing_time, connection_error


@click.command(name="connect")
@click.argument("site")
@click.option("--check", "only_check", is_flag=True, help="Show the state of the connection; open none.")
@click.option("--close", "only_close", is_flag=True, help="Close it.")
@click.option("--keep", is_flag=True, help="Let `run` monitor for longer than the site allows an idle login.")
@json_option
def connect_command(site: str, only_check: bool, only_close: bool, keep: bool, as_json: bool) -> None:
    """Log in to a site once; other commands share this connection.

    ssh asks in this terminal for what the site wants: a password, a code, a push. Packhorse does not
    see the answers, stores nothing, and never logs in by itself.
    """
    refuse_windows()
    folder = Path.cwd()
    if only_close:
        closed = close(site, folder)
        if as_json:
            print_json(closed)
        else:
            say(
                f"closed the connection to {closed.site}"
                if closed.closed
                else f"not connected to {closed.site}"
            )
        return
    if only_check:
        connection, was_open = check(site, folder), True
    else:
        connection, was_open = connect(site, folder, note, keep=keep)
    if as_json:
        print_json(json_output(connection))
    elif connection.look.state in ("open", "busy"):
        _show(connection, was_open)
    error = connection_error(connection)
    if error is not None:
        raise error


def _show(connection: Connection, was_open: bool) -> None:
    look, name = connection.look, connection.site.name
    where = (
        f"{name}; all its sessions are in use"
        if look.state == "busy"
        else f"{name} as {look.user} on {look.host}"
    )
    say(f"{'already connected' if was_open else 'connected'} to {where}")
    say(f"  {closing_time(connection)}; packhorse connect {name} --close closes it now")
    if look.noise:
        line = look.noise.splitlines()[0]
        note(f"note: your startup files there print text in every shell ({line}), which breaks scp and sftp")
