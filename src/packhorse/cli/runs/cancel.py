"""packhorse cancel."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from packhorse.app.runs.cancel import cancel
from packhorse.cli.output import job_of, say
from packhorse.model.errors import UsageError
from packhorse.rundir.directory import find_run


def _confirmed(run: str) -> str:
    """Return the run to cancel where none was named: ask on a terminal, and refuse elsewhere."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"name the run to cancel; the newest one here is {run}", f"packhorse cancel {shlex.quote(run)}"
        )
    if not click.confirm(f"cancel {run}, the newest run here?"):
        raise click.Abort
    return run


@click.command(name="cancel")
@click.argument("run", required=False, metavar="[RUN|SITE:JOB]")
def cancel_command(run: str | None) -> None:
    """Stop a run, here or on its site; finished tasks are kept and the same command continues.

    SITE:JOB cancels a job of yours by its number, also one that you submitted by hand.
    """
    job = job_of(run)
    if run is None:
        run = _confirmed(find_run(Path.cwd(), None).path.name)
    if job is None:
        say(cancel(Path.cwd(), run))
        return
    # Start-up: a run on this machine needs no code about sites.
    from packhorse.cluster.job_lookup import cancel_job

    say(cancel_job(job))
