"""packhorse runs."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.inspect.runs import UnreadableRun, runs
from packhorse.app.inspect.status import RunStatus, ScriptJobStatus
from packhorse.cli.output import NO_RUN, json_option, number, print_json, say, tasks


@click.command(name="runs")
@json_option
def runs_command(as_json: bool) -> None:
    """List the runs under runs/, the newest first."""
    found = runs(Path.cwd())
    if as_json:
        print_json(found)
        return
    if not found.runs:
        say(NO_RUN)
    for run in found.runs:
        say(_line(run))


def _line(run: RunStatus | ScriptJobStatus | UnreadableRun) -> str:
    if isinstance(run, UnreadableRun):
        return f"{run.name}: cannot be read: {run.why}"
    # Commands take the folder's name; a script that ran twice has two folders.
    folder = Path(run.run).name
    if isinstance(run, ScriptJobStatus):
        return f"{folder}: {run.state}, {run.script} on {run.site}"
    failed = f", {number(run.failed)} failed" if run.failed else ""
    return f"{folder}: {run.state}, {number(run.done)} of {tasks(run.tasks)} done{failed}"
