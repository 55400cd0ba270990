"""packhorse status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from packhorse.app.inspect.status import JobsStatus, NoRuns, RunStatus, ScriptJobStatus, status
from packhorse.cli.output import (
    NO_RUN,
    json_option,
    number,
    print_json,
    run_argument,
    say,
    tasks,
    where_option,
)
from packhorse.rundata.failures import cause_line
from packhorse.rundir.directory import list_runs

SHOWN = 8  # causes


@click.command(name="status")
@run_argument
@where_option
@json_option
def status_command(run: str | None, where: tuple[str, ...], as_json: bool) -> None:
    """Show the state of a run; without RUN, of the newest one here."""
    if run is None and not list_runs(Path.cwd()):
        if as_json:
            print_json(NoRuns())
        else:
            say(NO_RUN)
        return
    found = status(Path.cwd(), run, where, accounting=True)
    if as_json:
        print_json(found)
        return
    for row in status_lines(found):
        say(row)


def status_lines(found: RunStatus | ScriptJobStatus) -> Iterator[str]:
    """Yield a run's state as lines."""
    if isinstance(found, ScriptJobStatus):
        yield f"{found.name}: {found.line}"
        yield f"  {found.run}"
        return
    if found.state == "empty":
        yield f"{found.name}: nothing has run yet"
        return
    yield from filter(None, [found.note and f"note: {found.note}"])
    text = f"{found.name}: {found.state}, {number(found.done)} of {tasks(found.tasks)} done"
    if found.failed:
        text += f", {number(found.failed)} failed"
    if found.missing:
        text += f", {number(found.missing)} missing"
    if found.process:
        text += f" (process {found.process})"
    yield text
    if found.jobs:
        yield from (f"  {row}" for row in _job_lines(found.jobs))
    yield from ("  " + cause_line(msgspec.to_builtins(cause)) for cause in found.causes[:SHOWN])
    skipped = "the study's checks were skipped (--unchecked)" if found.unchecked else ""
    yield from (f"  {row}" for row in (found.cold, skipped, found.run) if row)
    yield from filter(None, [found.hint and f"  next: {found.hint}"])


def _job_lines(jobs: JobsStatus) -> Iterator[str]:
    """Yield the state of a run's jobs on its site."""
    yield f"{jobs.site}: {jobs.line}"
    yield from jobs.story
    if jobs.words and jobs.words not in jobs.why:
        yield f"no worker started in a job; output of one job: {jobs.words}"
    yield from filter(None, (jobs.why, *jobs.hint.splitlines()))
