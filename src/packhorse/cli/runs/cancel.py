"""packhorse cancel."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any
import click
from packhorse.cli.output import (
    Lines,
    Quiet,
    as_object,
    job_of,
    json_option,
    run_argument,
    say,
    where_option,
)
from packhorse.cli.site_options import site_key, site_options, taken
from packhorse.model.errors import TasksFailed, UsageError


@click.command(name="cancel")
@click.argument("run", required=False, metavar="[RUN|SITE:JOB]")
def cancel_command(run: str | None) -> None:
    """Stop a run, here or on its site; finished tasks are kept and the same command continues.

    SITE:JOB cancels a job of yours by its number, also one that you submitted by hand.
    """
    from packhorse.app.runs.cancel import cancel

    job = job_of(run)
    if job is None:
        say(cancel(Path.cwd(), run))
        return
    from packhorse.cluster.job_lookup import cancel_job

    say(cancel_job(job))
