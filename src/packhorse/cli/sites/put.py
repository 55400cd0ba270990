"""packhorse put."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from packhorse.app.sites.put import put
from packhorse.cli.output import LINE_SECONDS, Lines, Quiet, json_option, note, print_json, say, size


class ByteCounter:
    """Shows the bytes transferred: one line that changes on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet, self.total = quiet, 0
        self.begun = self.shown = time.monotonic()

    def __call__(self, more: int) -> None:
        """Add bytes, and show the total from time to time."""
        self.total += more
        now = time.monotonic()
        terminal = sys.stderr.isatty()
        if self.quiet or now - self.shown < (0.2 if terminal else LINE_SECONDS):
            return
        self.shown = now
        line = f"{size(self.total)}, {size(self.total / (now - self.begun))}/s"
        if terminal:
            sys.stderr.write(f"\r{line:<40}")
            sys.stderr.flush()
        else:
            note(line)

    def end(self) -> None:
        """Remove the line."""
        if sys.stderr.isatty() and not self.quiet and self.total:
            sys.stderr.write("\r" + " " * 40 + "\r")


@click.command(name="put")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.argument("place", metavar="SITE:PLACE")
@json_option
def put_command(sources: tuple[Path, ...], place: str, as_json: bool) -> None:
    """Upload files and folders to a site, over the open connection.

    \b
    packhorse put data hec:project/          into that folder
    packhorse put model.bin hec:model-2.bin  under another name

    A place is relative to your home directory there. Only missing files and parts are uploaded, and each file appears
    complete; after an interruption the same command continues.
    """
    shown = ByteCounter(quiet=as_json)
    try:
        found = put(list(sources), place, Path.cwd(), Quiet() if as_json else Lines(), shown)
    finally:
        shown.end()
    site = place.partition(":")[0]
    if as_json:
        print_json(found)
        return
    for copy in found.put:
        say(f"{site}:{copy.place}: " + (f"uploaded {size(copy.bytes)}" if copy.bytes else "nothing new"))
