"""packhorse ls."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.sites.ls import ls
from packhorse.cli.output import say


@click.command(name="ls")
@click.argument("place", metavar="SITE:[PATH]")
def ls_command(place: str) -> None:
    """List a folder of a site.

    \b
    packhorse ls hec:                your home there
    packhorse ls hec:project/results
    """
    say(ls(place, Path.cwd()).rstrip("\n"))
