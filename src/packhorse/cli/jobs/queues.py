"""packhorse queues."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from packhorse.app.jobs.queues import TITLES, SiteQueues, cells, site_queues
from packhorse.cli.jobs.jobs import age
from packhorse.cli.output import aligned, json_option, print_json, say


@click.command(name="queues")
@click.argument("site")
@json_option
def queues_command(site: str, as_json: bool) -> None:
    """Show a site's queues: free resources, limits, your rights, and where a job would start soonest."""
    found = site_queues(Path.cwd(), site)
    if as_json:
        print_json(found)
        return
    for line in _queue_lines(found):
        say(line)


def _queue_lines(found: SiteQueues) -> Iterator[str]:
    yield f"{found.site}:{age(found.asked).lstrip(',')}".rstrip(":") + ":"
    for line in aligned([TITLES, *(cells(queue) for queue in found.queues)]):
        yield f"  {line}"
    yield from (f"  {line}" for line in found.notes)
    if found.soonest:
        yield found.soonest
