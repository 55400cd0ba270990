"""packhorse rerun."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.runs.rerun import rerun
from packhorse.cli.output import Lines, Quiet, json_option, print_json, run_argument, say, where_option
from packhorse.model.errors import TasksFailed
from packhorse.text.amounts import counted


@click.command(name="rerun")
@run_argument
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="The number of finished tasks.",
)
@click.option("--cold", is_flag=True, help="Start a new interpreter for every task.")
@where_option
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Tasks at a time (default: all cores).")
@json_option
def rerun_command(
    run: str | None, sample: int, where: tuple[str, ...], jobs: int | None, cold: bool, as_json: bool
) -> None:
    """Run finished tasks again from the snapshot and compare bit for bit."""
    found = rerun(Path.cwd(), run, sample, where, jobs, Quiet() if as_json else Lines(), cold=cold)
    if as_json:
        print_json(found)
    else:
        say(found.said)
        for difference in found.differences:
            first, second = difference.first, difference.second
            say(f"  task {difference.index}, {difference.column}: first {first}, now {second}")
    if found.differing or found.failed:
        raise TasksFailed(
            f"{found.differing + found.failed} of {counted(found.tasks, 'task')} did not give the same result"
        )
