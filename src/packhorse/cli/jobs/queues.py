"""packhorse queues."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packhorse.cli.jobs.jobs import age
from packhorse.cli.output import as_object, json_option, say
from packhorse.cli.sites.site_lines import aligned

if TYPE_CHECKING:
    from packhorse.app.jobs.queues import SiteQueues


@click.command(name="queues")
@click.argument("site")
@json_option
def queues_command(site: str, as_json: bool) -> None:
    """Say what is free in a site's queues, what they allow, whether you may use them, and which starts soonest."""
    import msgspec

    from packhorse.app.jobs.queues import site_queues

    found = site_queues(Path.cwd(), site)
    if as_json:
        as_object(msgspec.to_builtins(found))
        return
    for line in _queue_lines(found):
        say(line)


def _queue_lines(found: SiteQueues) -> Iterator[str]:
    from packhorse.app.jobs.queues import TITLES, cells

    yield f"{found.site}:{age(found.asked).lstrip(',')}".rstrip(":") + ":"
    for line in aligned([TITLES, *(cells(one) for one in found.queues)]):
        yield f"  {line}"
    yield from (f"  {line}" for line in found.notes)
    if found.soonest:
        yield found.soonest
