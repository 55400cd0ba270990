"""packhorse du."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.runs.du import disk_usage
from packhorse.cli.output import NO_RUN, json_option, number, print_json, run_argument, say, size

SHOWN = 6  # parts of a run


@click.command(name="du")
@run_argument
@json_option
def du_command(run: str | None, as_json: bool) -> None:
    """Show the disk space of runs."""
    found = disk_usage(Path.cwd(), run)
    if as_json:
        print_json(found)
        return
    if not found.runs:
        say(NO_RUN)
    for usage in found.runs:
        say(
            f"{size(usage.bytes)} in {number(usage.files)} file{'' if usage.files == 1 else 's'}  {usage.run}"
        )
        for name, part in sorted(usage.parts.items(), key=lambda item: -item[1])[:SHOWN]:
            say(f"  {size(part)}  {name}")
