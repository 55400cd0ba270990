"""packhorse put."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from packhorse.cli.output import LINE_SECONDS, Lines, Quiet, as_object, json_option, note, say, size


class Bytes:
    """Shows how many bytes have travelled: a line that changes on a terminal, one now and then elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet, self.total = quiet, 0
        self.begun = self.shown = time.monotonic()

    def __call__(self, more: int) -> None:
        """Count."""
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
        """Take the line away."""
        if sys.stderr.isatty() and not self.quiet and self.total:
            sys.stderr.write("\r" + " " * 40 + "\r")


@click.command(name="put")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.argument("place", metavar="SITE:PLACE")
@json_option
def put_command(sources: tuple[Path, ...], place: str, as_json: bool) -> None:
    """Send files and folders to a site, over the login that is open.

    \b
    packhorse put data hec:project/          into that folder there
    packhorse put model.bin hec:model-2.bin  under another name

    A place is relative to your home there. Only what is not there yet goes, and each file appears whole;
    the same command goes on where it was cut.
    """
    from packhorse.app.sites.put import put

    shown = Bytes(quiet=as_json)
    try:
        found = put(list(sources), place, Path.cwd(), Quiet() if as_json else Lines(), shown)
    finally:
        shown.end()
    site = place.partition(":")[0]
    if as_json:
        as_object({"put": [transferred_object(one) for one in found]})
        return
    for one in found:
        say(f"{site}:{one.place}: " + (f"sent {size(one.bytes)}" if one.bytes else "all of it was there"))


def transferred_object(one: Any) -> dict[str, Any]:
    """Return what `--json` prints of one transfer."""
    return {"place": one.place, "bytes": one.bytes, "left": list(one.left)}
