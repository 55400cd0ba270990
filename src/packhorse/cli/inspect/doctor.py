"""packhorse doctor."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.inspect.doctor import doctor
from packhorse.cli.output import json_option, print_json, say
from packhorse.model.errors import RunError


@click.command(name="doctor")
@json_option
def doctor_command(as_json: bool) -> None:
    """Check this machine and the runs here."""
    checkup = doctor(Path.cwd())
    if as_json:
        print_json(checkup)
    else:
        for check in checkup.checks:
            say(f"{'ok ' if check.well else 'BAD'}  {check.what}: {check.found}")
            if check.cure:
                say(f"     {check.cure}")
    failed = [check.what for check in checkup.checks if not check.well]
    if failed:
        raise RunError(f"failed checks: {', '.join(failed)}")
