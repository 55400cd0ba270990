"""packhorse jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from packhorse.app.jobs.jobs import jobs, json_output
from packhorse.cli.output import aligned, json_option, print_json, say
from packhorse.cluster.job_table import describe_job, describe_state
from packhorse.cluster.user_jobs import AllJobs, SiteJobs, poll_interval
from packhorse.text.amounts import counted, span

WATCH_SECONDS = 2.0  # at least, between two queries, also where a site allows more
SHOWN = 6  # names of sites that were not queried


@click.command(name="jobs")
@click.argument("sites", nargs=-1, metavar="[SITE]...")
@click.option("--all", "everything", is_flag=True, help="Also jobs that ended in the last days.")
@click.option("--ended", is_flag=True, help="Only jobs that ended in the last days.")
@click.option(
    "--days",
    type=click.IntRange(min=1, max=366),
    default=3,
    show_default=True,
    help="How many days back, with --all and --ended.",
)
@click.option(
    "--watch", is_flag=True, help="Refresh until no job waits or runs, as often as the sites allow."
)
@click.option("--keep", is_flag=True, help="With --watch: go on past the site's limit for idle logins.")
@json_option
def jobs_command(
    sites: tuple[str, ...], watch: bool, keep: bool, as_json: bool, everything: bool, ended: bool, days: int
) -> None:
    """List all your jobs on your sites, also those that you submitted by hand.

    Your sites are those to which you are connected, those where Packhorse knows jobs of yours, and the one whose
    login node this machine is; or those that you name. A run's job has the run's name.
    """
    which: dict[str, Any] = {"alive": everything or not ended, "ended": everything or ended, "days": days}

    def query() -> AllJobs:
        return jobs(Path.cwd(), sites, **which)

    if watch and not as_json:
        _watch(query, keep=keep)
        return
    found = query()
    if as_json:
        print_json(json_output(found))
        return
    for line in job_lines(found):
        say(line)


def job_lines(found: AllJobs) -> Iterator[str]:
    """Yield the jobs of all sites, then the sites that were not queried."""
    if not found.sites:
        yield "no sites to query: you are connected to none, and this machine is not a known login node"
        yield "to log in: packhorse connect SITE; to list the sites: packhorse sites"
    for site in found.sites:
        yield from _site_lines(site)
    for why in dict.fromkeys(found.left_out.values()):
        names = [name for name, reason in found.left_out.items() if reason == why]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"not queried: {', '.join(names[:SHOWN])}{more}: {why}"


def _site_lines(site: SiteJobs) -> Iterator[str]:
    if site.silent and not site.rows:
        yield f"{site.site}: {site.silent}" + (f"; {site.hint}" if site.hint else "")
        return
    total = counted(len(site.rows), "job") if site.rows else "no jobs of yours"
    yield f"{site.site}: {total}{age(site.asked)}"
    table = [
        (
            row.job,
            f"{row.name} (run {row.run})" if row.run else row.name,
            describe_state(row),
            describe_job(row),
        )
        for row in site.rows
    ]
    for line in aligned(table) if table else ():
        yield f"  {line}"
    if site.silent:
        yield f"  {site.silent}"


def age(asked: float) -> str:
    """Return the age of a cached reply, or nothing where it is new."""
    seconds = time.time() - asked
    return f", as of {span(int(seconds))} ago" if seconds >= 2 else ""


def _watch(query: Callable[[], AllJobs], *, keep: bool) -> None:
    """Show the jobs until none waits or runs."""
    begun, before = time.monotonic(), ""
    while True:
        found = query()
        interval, longest = poll_interval(found)
        text = "\n".join(job_lines(found))
        _show(text, before)
        before = text
        if not found.alive:
            return
        if longest is not None and not keep and time.monotonic() - begun > longest:
            say("stopped monitoring: the site closes idle logins; --keep goes on")
            return
        time.sleep(max(WATCH_SECONDS, interval))


def _show(text: str, before: str) -> None:
    """Print the list: on a terminal in place of the last one, elsewhere only where it differs."""
    if sys.stdout.isatty():
        click.clear()
        say(time.strftime("%H:%M:%S"))
        say(text)
    elif text != before:
        say(text)
