"""packhorse env."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packhorse.cli.output import Lines, as_object, json_option, number, say, size
from packhorse.cli.sites.site_lines import aligned

if TYPE_CHECKING:
    from packhorse.environments.store import BuiltEnvironment

COLUMNS = ("environment", "size", "files", "Python", "packages", "made of", "built")


@click.command(name="env")
@click.argument("site")
@click.option("--remove", "names", multiple=True, metavar="NAME", help="Remove it; all: every one.")
@json_option
def env_command(site: str, names: tuple[str, ...], as_json: bool) -> None:
    """List the environments that were built on a site, or remove some; what a run needs is built again.

    \b
    packhorse env hec
    packhorse env hec --remove all
    """
    import msgspec

    from packhorse.environments.store import environments_of, remove_environments

    reporter = Lines()
    if names:
        gone = remove_environments(site, names, Path.cwd(), reporter)
        if as_json:
            as_object({"site": site, "removed": gone})
        else:
            say(f"removed {', '.join(gone)}" if gone else "there is nothing to remove")
        return
    where, kept = environments_of(site, Path.cwd(), reporter)
    if as_json:
        as_object({"site": site, "path": where, "environments": msgspec.to_builtins(kept)})
        return
    if not kept:
        say(f"no environments in {where} on {site}")
        return
    for row in aligned([COLUMNS, *map(_row, kept)]):
        say(row)
    say(f"in {where} on {site}: {size(sum(one.bytes for one in kept))}; packhorse env {site} --remove NAME")


def _row(one: BuiltEnvironment) -> tuple[str, ...]:
    day = (
        datetime.fromtimestamp(one.built, UTC).astimezone().strftime("%Y-%m-%d") if one.built else "not whole"
    )
    return (one.name, size(one.bytes), number(one.files), one.python, number(one.packages), one.made_of, day)
