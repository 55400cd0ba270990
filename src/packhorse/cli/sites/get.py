"""packhorse get."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.sites.get import get
from packhorse.cli.output import Lines, Quiet, json_option, note, print_json, say, size
from packhorse.cli.sites.put import ByteCounter

SHOWN = 5  # paths that were not downloaded


@click.command(name="get")
@click.argument("source", metavar="SITE:PATH|RUN")
@click.argument("here", required=False, type=click.Path(path_type=Path))
@json_option
def get_command(source: str, here: Path | None, as_json: bool) -> None:
    """Download a file or folder from a site, or the results and logs of a run.

    \b
    packhorse get hec:project/results        to results here
    packhorse get hec:project/a.csv data/    into the folder data
    packhorse get study                      journals, logs and artifacts of the run

    Only missing files and parts are downloaded; after an interruption the same command continues.
    """
    shown = ByteCounter(quiet=as_json)
    try:
        found = get(source, here, Path.cwd(), Quiet() if as_json else Lines(), shown)
    finally:
        shown.end()
    if as_json:
        print_json(found)
        return
    say(f"{found.place}: " + (f"downloaded {size(found.bytes)}" if found.bytes else "nothing new"))
    if found.left:
        more = " ..." if len(found.left) > SHOWN else ""
        note(f"not downloaded, since they are not files: {', '.join(found.left[:SHOWN])}{more}")
