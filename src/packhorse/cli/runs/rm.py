"""packhorse rm."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.runs.rm import remove
from packhorse.cli.output import say


@click.command(name="rm")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Remove it; without this, only its size is shown.")
@click.option("--here", is_flag=True, help="Only the copy on this machine; keep what is on the site.")
def rm_command(run: str, yes: bool, here: bool) -> None:
    """Remove a run: its table, journals, logs and artifacts, here and on the site where it ran.

    Environments and data on the site stay, as other runs use them.
    """
    say(remove(Path.cwd(), run, sure=yes, here=here))
