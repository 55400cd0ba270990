"""packhorse status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from packhorse.cli.output import (
    as_object,
    json_option,
    number,
    run_argument,
    say,
    tasks,
    where_option,
)


@click.command(name="status")
@run_argument
@where_option
@json_option
def status_command(run: str | None, where: tuple[str, ...], as_json: bool) -> None:
    """Say how a run stands; without RUN, how the newest one here stands."""
    from packhorse.rundir.directory import list_runs

    if run is None and not list_runs(Path.cwd()):
        if as_json:
            as_object({"runs": 0})
        else:
            say("no run here yet; packhorse run study.yaml makes one")
        return
    from packhorse.app.inspect.status import status

    found = status(Path.cwd(), run, where, accounting=True)
    if as_json:
        as_object(found)
        return
    for row in status_lines(found):
        say(row)


def status_lines(found: dict[str, Any]) -> list[str]:
    """Return a run's state as sentences."""
    from packhorse.rundata.failures import cause_line

    if "script" in found:
        return [f"{found['name']}: {found['line']}", f"  {found['run']}"]
    if found["state"] == "empty":
        return [f"{found['name']}: nothing was run yet"]
    said = f"{found['name']}: {found['state']}, {number(found['done'])} of {tasks(found['tasks'])} done"
    if found["failed"]:
        said += f", {number(found['failed'])} failed"
    if found["missing"]:
        said += f", {number(found['missing'])} missing"
    if found.get("process"):
        said += f" (process {found['process']})"
    rows = [said]
    if found.get("jobs"):
        rows += _job_lines(found["jobs"])
    rows += ["  " + cause_line(group) for group in found["causes"][:8]]
    if found["unchecked"]:
        rows.append("  its checks were left out (--unchecked)")
    rows.append(f"  {found['run']}")
    return rows


def _job_lines(jobs: dict[str, Any]) -> list[str]:
    """Return how a run's jobs stand on its site."""
    rows = [f"{jobs['site']}: {jobs['line']}", *jobs["story"]]
    if jobs["words"]:
        rows.append(f"no job began to work; one said: {jobs['words']}")
    rows += [one for one in (jobs["why"], jobs["hint"]) if one]
    return [f"  {row}" for row in rows]
