"""packhorse jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.cli.output import as_object, json_option, say
from packhorse.cli.sites.site_lines import aligned

if TYPE_CHECKING:
    from packhorse.cluster.user_jobs import AllJobs, SiteJobs


WATCH_SECONDS = 2.0  # at least, between two looks, also where a site allows more


SHOWN = 6  # sites that are left out are named, up to so many


@click.command(name="jobs")
@click.argument("sites", nargs=-1, metavar="[SITE]...")
@click.option("--all", "everything", is_flag=True, help="Also jobs that ended in the last days.")
@click.option("--ended", is_flag=True, help="Only jobs that ended in the last days.")
@click.option(
    "--days",
    type=click.IntRange(min=1, max=366),
    default=3,
    show_default=True,
    help="How far back, with --all and --ended.",
)
@click.option("--watch", is_flag=True, help="Look again and again, as often as the sites allow.")
@click.option("--keep", is_flag=True, help="Watch on, also past a site's rule for logins that do nothing.")
@json_option
def jobs_command(sites: tuple[str, ...], watch: bool, keep: bool, as_json: bool, **which: Any) -> None:
    """List all your jobs on your sites, also those that you submitted by hand.

    Your sites are those to which you are connected, those where jobs of yours are known, and the one whose
    login node this machine is; or those that you name. A run's job has the run's name.
    """
    from packhorse.cluster.user_jobs import Wanted, all_jobs

    everything, ended = which["everything"], which["ended"]
    wanted = Wanted(alive=everything or not ended, ended=everything or ended, days=which["days"])

    def ask() -> AllJobs:
        return all_jobs(Path.cwd(), sites, wanted)

    if watch and not as_json:
        _watch(ask, keep=keep)
        return
    found = ask()
    if as_json:
        as_object(_object(found))
        return
    for line in job_lines(found):
        say(line)


def _object(found: AllJobs) -> dict[str, Any]:
    import msgspec

    sites = [msgspec.to_builtins(one) for one in found.sites]
    return {"sites": sites, "left_out": dict(found.left_out)}


def job_lines(found: AllJobs) -> Iterator[str]:
    """Yield the jobs of all sites, then what is to be said of sites without an answer."""
    if not found.sites:
        yield "no site of yours: you are connected to none, and this machine is no login node"
    for one in found.sites:
        yield from _site_lines(one)
    for why in dict.fromkeys(found.left_out.values()):
        names = [name for name, reason in found.left_out.items() if reason == why]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"not asked: {', '.join(names[:SHOWN])}{more}: {why}"


def _site_lines(one: SiteJobs) -> Iterator[str]:
    from packhorse.cluster.job_table import about, state_words

    if one.silent and not one.rows:
        yield f"{one.site}: {one.silent}" + (f"; {one.hint}" if one.hint else "")
        return
    yield f"{one.site}: {_counted(one)}{age(one.asked)}"
    table = [
        (row.job, f"{row.name} (run {row.run})" if row.run else row.name, state_words(row), about(row))
        for row in one.rows
    ]
    for line in aligned(table) if table else ():
        yield f"  {line}"
    if one.silent:
        yield f"  {one.silent}"


def _counted(one: SiteJobs) -> str:
    from packhorse.text.amounts import counted

    if not one.rows:
        return "no jobs of yours"
    return counted(len(one.rows), "job")


def age(asked: float) -> str:
    """Return how old an answer is, or nothing where it is new."""
    from packhorse.text.amounts import span

    age = time.time() - asked
    return f", as of {span(int(age))} ago" if age >= 2 else ""


def _watch(ask: Callable[[], AllJobs], *, keep: bool) -> None:
    """Show the jobs again and again, until none waits or runs."""
    from packhorse.cluster.user_jobs import pace

    began, before = time.monotonic(), ""
    while True:
        found = ask()
        interval, longest = pace(found)
        text = "\n".join(job_lines(found))
        _show(text, before)
        before = text
        if not found.alive:
            return
        if longest is not None and not keep and time.monotonic() - began > longest:
            say("the watch ends with the site's rule for logins that do nothing; --keep watches on")
            return
        time.sleep(max(WATCH_SECONDS, interval))


def _show(text: str, before: str) -> None:
    """Print what is new: on a terminal in place of what was there."""
    if sys.stdout.isatty():
        click.clear()
        say(time.strftime("%H:%M:%S"))
        say(text)
    elif text != before:
        say(text)
