"""packhorse get."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import Lines, Quiet, as_object, json_option, note, say, size
from packhorse.cli.sites.put import Bytes, transferred_object


@click.command(name="get")
@click.argument("source", metavar="SITE:PATH|RUN")
@click.argument("here", required=False, type=click.Path(path_type=Path))
@json_option
def get_command(source: str, here: Path | None, as_json: bool) -> None:
    """Fetch a file or a folder from a site, or what a run has brought forth there.

    \b
    packhorse get hec:project/results        to results here
    packhorse get hec:project/a.csv data/    into the folder data
    packhorse get study                      journals, logs and artifacts of the run

    Only what is not here yet comes; the same command goes on where it was cut.
    """
    from packhorse.app.sites.get import get

    shown = Bytes(quiet=as_json)
    try:
        found = get(source, here, Path.cwd(), Quiet() if as_json else Lines(), shown)
    finally:
        shown.end()
    if as_json:
        as_object(transferred_object(found))
        return
    say(f"{found.place}: " + (f"fetched {size(found.bytes)}" if found.bytes else "nothing new came"))
    if found.left:
        note(
            f"not fetched, as they are no files: {', '.join(found.left[:5])}{' ...' if len(found.left) > 5 else ''}"
        )
