"""packhorse cancel."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.runs.cancel import cancel
from packhorse.cli.output import job_of, say


@click.command(name="cancel")
@click.argument("run", required=False, metavar="[RUN|SITE:JOB]")
def cancel_command(run: str | None) -> None:
    """Stop a run, here or on its site; finished tasks are kept and the same command continues.

    SITE:JOB cancels a job of yours by its number, also one that you submitted by hand.
    """
    job = job_of(run)
    if job is None:
        say(cancel(Path.cwd(), run))
        return
    # Start-up: a run on this machine needs no code about sites.
    from packhorse.cluster.job_lookup import cancel_job

    say(cancel_job(job))
