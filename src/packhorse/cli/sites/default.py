"""packhorse sites default."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.sites.default import default
from packhorse.cli.output import say


@click.command(name="default")
@click.argument("name", required=False, metavar="[NAME]")
def default_command(name: str | None) -> None:
    """Set the site that submit and shell take where none is named; without NAME, show it.

    On a login node they take the site of that node. run and plan use a site only with --site.
    """
    say(default(name, Path.cwd()) or "there is no default site; to set one: packhorse sites default NAME")
