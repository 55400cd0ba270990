"""packhorse r."""

from __future__ import annotations

from importlib import resources

import click

from packhorse.cli.output import say


@click.command(name="r")
def r_command() -> None:
    """Print the path of the file that gives an R session ph_map, ph_lapply and more.

    \b
    source(system("packhorse r", intern = TRUE))     in R
    """
    say(str(resources.files("packhorse") / "r" / "session.R"))
