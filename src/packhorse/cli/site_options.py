"""The options of commands that may run on a site."""

from __future__ import annotations

from typing import Any

import click

OPTIONS = ("site", "area", "partition", "account", "qos", "job_time", "max_jobs", "max_core_hours", "anyway")


def site_options(command: Any) -> Any:
    """Add the options of commands that may run on a site."""
    for option in reversed(
        (
            click.option("--site", metavar="NAME", help="Run on this site (packhorse sites lists them)."),
            click.option(
                "--area",
                metavar="NAME",
                help="The storage area of the run on the site (default: the one for runs).",
            ),
            click.option(
                "--partition", metavar="NAME", help="The site's partition (default: one that fits)."
            ),
            click.option("--account", metavar="NAME", help="The account to charge."),
            click.option("--qos", metavar="NAME", help="The quality of service."),
            click.option("--job-time", metavar="TIME", help="The time limit of each job, such as '2 h'."),
            click.option("--max-jobs", type=click.IntRange(min=1), help="Jobs that may run at a time."),
            click.option(
                "--max-core-hours", type=click.FloatRange(min=0), help="Refuse to submit what may cost more."
            ),
            click.option(
                "--anyway",
                is_flag=True,
                default=None,
                help="Submit although the site lacks packages that the script loads.",
            ),
        )
    ):
        command = option(command)
    return command


def given_site_options(options: dict[str, Any]) -> dict[str, Any]:
    """Remove the options about the site from a command's options; return those that were given."""
    values = {name: options.pop(name, None) for name in OPTIONS}
    return {name: value for name, value in values.items() if value is not None}


def site_key(place: dict[str, Any]) -> str | None:
    """Return the name of the site that was given."""
    site = place.get("site")
    return site if isinstance(site, str) else getattr(site, "name", None)
