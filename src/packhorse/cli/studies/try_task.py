"""packhorse try."""

from __future__ import annotations

import click

from packhorse.app.studies.try_task import try_task
from packhorse.cli.output import say, task_option, where_option


@click.command(name="try")
@click.argument("study", default="study.yaml")
@task_option
@where_option
def try_command(study: str, task: int | None, where: tuple[str, ...]) -> int:
    """Run one task here in the foreground, with its input, output and debugger on the terminal."""
    status, lines = try_task(study, task, where)
    for row in lines:
        say(row)
    return status
