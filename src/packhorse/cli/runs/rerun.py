"""packhorse rerun."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import (
    Lines,
    Quiet,
    as_object,
    json_option,
    run_argument,
    say,
    where_option,
)
from packhorse.model.errors import TasksFailed


@click.command(name="rerun")
@run_argument
@click.option(
    "--sample", type=click.IntRange(min=1), default=20, show_default=True, help="How many finished tasks."
)
@where_option
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Tasks at a time (default: all cores).")
@json_option
def rerun_command(
    run: str | None, sample: int, where: tuple[str, ...], jobs: int | None, as_json: bool
) -> None:
    """Run finished tasks again from the snapshot and compare bit for bit."""
    from packhorse.app.runs.rerun import rerun

    found = rerun(Path.cwd(), run, sample, where, jobs, Quiet() if as_json else Lines())
    if as_json:
        as_object(found)
    else:
        say(found["said"])
        for row in found["differences"]:
            say(f"  task {row['index']}, {row['column']}: first {row['first']}, now {row['second']}")
    if found["differing"] or found["failed"]:
        raise TasksFailed(f"{found['differing']} of {found['tasks']} tasks gave another result")
