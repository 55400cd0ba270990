"""packhorse runs."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import (
    as_object,
    json_option,
    number,
    say,
    tasks,
)


@click.command(name="runs")
@json_option
def runs_command(as_json: bool) -> None:
    """List the runs under runs/, the newest first."""
    from packhorse.app.inspect.runs import runs

    found = runs(Path.cwd())
    if as_json:
        as_object({"runs": found})
        return
    if not found:
        say("no run here yet; packhorse run study.yaml makes one")
    for one in found:
        if one["state"] == "unreadable":
            say(f"{one['name']}: cannot be read: {one['why']}")
        elif "script" in one:
            say(f"{Path(one['run']).name}: {one['state']}, {one['script']} on {one['site']}")
        else:
            done = f"{number(one.get('done', 0))} of {tasks(one['tasks'])} done"
            failed = f", {number(one['failed'])} failed" if one.get("failed") else ""
            # The folder's name is what other commands take; a script that ran twice has two.
            say(f"{Path(one['run']).name}: {one['state']}, {done}{failed}")
