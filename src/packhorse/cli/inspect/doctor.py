"""packhorse doctor."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import as_object, json_option, say
from packhorse.model.errors import RunError


@click.command(name="doctor")
@json_option
def doctor_command(as_json: bool) -> None:
    """Check this machine and the runs here."""
    from packhorse.app.inspect.doctor import doctor

    rows = doctor(Path.cwd())
    if as_json:
        as_object({"checks": rows})
    else:
        for row in rows:
            say(f"{'well' if row['well'] else 'BAD '}  {row['what']}: {row['found']}")
            if row["cure"]:
                say(f"      {row['cure']}")
    if not all(row["well"] for row in rows):
        raise RunError("something is not well")
