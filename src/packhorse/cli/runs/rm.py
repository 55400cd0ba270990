"""packhorse rm."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import say


@click.command(name="rm")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Remove it without asking.")
@click.option(
    "--here", is_flag=True, help="Only what is on this machine; what the run has on its site stays."
)
def rm_command(run: str, yes: bool, here: bool) -> None:
    """Remove a run: its table, journals, logs and artifacts, here and on the site where it ran.

    Environments and data on the site stay, as other runs use them.
    """
    from packhorse.app.runs.rm import remove

    say(remove(Path.cwd(), run, sure=yes, here=here))
