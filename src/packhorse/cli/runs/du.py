"""packhorse du."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import as_object, json_option, number, run_argument, say, size


@click.command(name="du")
@run_argument
@json_option
def du_command(run: str | None, as_json: bool) -> None:
    """Say how much space runs take."""
    from packhorse.app.runs.du import sizes

    found = sizes(Path.cwd(), run)
    if as_json:
        as_object({"runs": found})
        return
    if not found:
        say("no run here yet")
    for one in found:
        say(f"{size(one['bytes'])} in {number(one['files'])} files  {one['run']}")
        for name, many in sorted(one["parts"].items(), key=lambda part: -part[1])[:6]:
            say(f"  {size(many)}  {name}")
