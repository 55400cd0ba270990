"""packhorse env."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from packhorse.app.sites.env import list_environments, remove
from packhorse.cli.output import Lines, aligned, json_option, number, print_json, say, size
from packhorse.environments.store import BuiltEnvironment

COLUMNS = ("environment", "size", "files", "Python", "packages", "made from", "built")


@click.command(name="env")
@click.argument("site")
@click.option("--remove", "names", multiple=True, metavar="NAME", help="Remove it; all: remove every one.")
@json_option
def env_command(site: str, names: tuple[str, ...], as_json: bool) -> None:
    """List the environments that Packhorse built on a site, or remove some; a run rebuilds what it needs.

    \b
    packhorse env hec
    packhorse env hec --remove all
    """
    reporter = Lines()
    if names:
        gone = remove(site, names, Path.cwd(), reporter)
        if as_json:
            print_json(gone)
        else:
            say(f"removed {', '.join(gone.removed)}" if gone.removed else "no environments to remove")
        return
    found = list_environments(site, Path.cwd(), reporter)
    if as_json:
        print_json(found)
        return
    if not found.environments:
        say(f"no environments in {found.path} on {site}")
        return
    for row in aligned([COLUMNS, *map(_row, found.environments)]):
        say(row)
    total = size(sum(environment.bytes for environment in found.environments))
    say(f"in {found.path} on {site}: {total}; to remove one: packhorse env {site} --remove NAME")


def _row(environment: BuiltEnvironment) -> tuple[str, ...]:
    built = datetime.fromtimestamp(environment.built, UTC).astimezone() if environment.built else None
    return (
        environment.name,
        size(environment.bytes),
        number(environment.files),
        environment.python,
        number(environment.packages),
        environment.made_of,
        built.strftime("%Y-%m-%d") if built else "incomplete",
    )
