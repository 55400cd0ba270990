"""packhorse retry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from packhorse.app.runs.retry import retry_source
from packhorse.cli.output import json_option, run_argument, where_option
from packhorse.cli.runs.run_options import run_and_report
from packhorse.cli.site_options import given_site_options, site_options


@click.command(name="retry")
@run_argument
@click.option(
    "--failed",
    is_flag=True,
    expose_value=False,
    help="All tasks that failed (the default).",
)
@where_option
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Tasks at a time (default: all cores).")
@click.option("--keep", is_flag=True, help="Use the present code, although it changed.")
@click.option("--old-code", is_flag=True, help="Use the code of the finished tasks.")
@click.option("--lost", is_flag=True, help="On a site: only tasks whose jobs ended without an outcome.")
@click.option("--memory", metavar="SIZE|2x", help="Request this memory per task, or a multiple.")
@click.option("--time", metavar="TIME|2x", help="Request this time per task, or a multiple.")
@click.option("--detach", is_flag=True, help="Return when the jobs are submitted.")
@json_option
@site_options
def retry_command(
    run: str | None, where: tuple[str, ...], as_json: bool, detach: bool, **options: Any
) -> None:
    """Run failed tasks again, and those whose result could not be read, on the machine or site of the run."""
    place = given_site_options(options)
    source, chosen, place = retry_source(Path.cwd(), run, where, options, place)
    run_and_report(source, chosen, place, as_json=as_json, detach=detach)
