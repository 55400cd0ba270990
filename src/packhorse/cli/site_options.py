"""Options that say where a study runs, and the place they mean."""

from __future__ import annotations

from typing import Any

import click

OPTIONS = ("site", "area", "partition", "account", "qos", "job_time", "max_jobs", "max_core_hours")


def site_options(command: Any) -> Any:
    """Add the options of everything that may run on a site."""
    for option in reversed(
        (
            click.option("--site", metavar="NAME", help="Run on this site (packhorse sites lists them)."),
            click.option(
                "--area", metavar="NAME", help="Where on the site the run lives (default: where it belongs)."
            ),
            click.option(
                "--partition", metavar="NAME", help="The site's partition (default: one that fits)."
            ),
            click.option("--account", metavar="NAME", help="The account that is charged."),
            click.option("--qos", metavar="NAME", help="The quality of service."),
            click.option("--job-time", metavar="TIME", help="What each job asks for, such as '2 h'."),
            click.option("--max-jobs", type=click.IntRange(min=1), help="Jobs that may run at a time."),
            click.option(
                "--max-core-hours", type=click.FloatRange(min=0), help="Refuse what may cost more than this."
            ),
        )
    ):
        command = option(command)
    return command


def taken(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options about the site out of a command's options, those that were given."""
    said = {name: options.pop(name, None) for name in OPTIONS}
    return {name: value for name, value in said.items() if value is not None}


def site_key(place: dict[str, Any]) -> str | None:
    """Return the word for the site that was named."""
    site = place.get("site")
    return site if isinstance(site, str) else getattr(site, "name", None)
