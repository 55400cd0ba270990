"""packhorse logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packhorse.cli.output import (
    as_object,
    job_of,
    json_option,
    say,
    task_option,
    where_option,
)
from packhorse.model.errors import UsageError

if TYPE_CHECKING:
    from packhorse.cluster.job_lookup import Named


@click.command(name="logs")
@click.argument("run", required=False, metavar="[RUN|SITE:JOB]")
@task_option
@click.option("--failed", is_flag=True, help="What failed tasks printed, up to twenty (the default).")
@where_option
@click.option("--follow", is_flag=True, help="Of a job: show what it prints as it comes, until it ends.")
@json_option
def logs_command(
    run: str | None, task: int | None, failed: bool, where: tuple[str, ...], follow: bool, as_json: bool
) -> None:
    """Show what a task printed; without --task, what failed tasks printed.

    SITE:JOB shows what a job of yours printed, also one that you submitted by hand.
    """
    from packhorse.app.inspect.logs import logs

    job = job_of(run) or _own_job(run)
    if job is not None:
        _job_logs(job, follow=follow, as_json=as_json)
        return
    if follow:
        raise UsageError("--follow is for a job: SITE:JOB", "packhorse run STUDY --site SITE follows a run")
    found = logs(Path.cwd(), run, task, where, failed=failed)
    if as_json:
        as_object({"logs": [{"task": index, "text": text} for index, text in found]})
        return
    if not found:
        say("no task failed; to see one: packhorse logs RUN --task 0")
    for index, text in found:
        if not text.startswith("== task"):
            say(f"== task {index} ==")
        say(text.rstrip("\n"))


def _own_job(run: str | None) -> Named | None:
    """Return the job of a run that is a script of the user's own."""
    from packhorse.rundir.directory import find_run
    from packhorse.rundir.submissions import read_script_job

    found = find_run(Path.cwd(), run)
    if read_script_job(found) is None:
        return None
    from packhorse.cluster.script_job import named

    return named(found)


def _job_logs(job: Named, *, follow: bool, as_json: bool) -> None:
    from packhorse.cluster.job_lookup import follow_job, logs_of_job

    if follow:
        follow_job(job, lambda text: print(text, end="", flush=True))
        return
    found, more = logs_of_job(job)
    if as_json:
        as_object({"logs": [{"heading": heading, "text": text} for heading, text in found]})
        return
    for heading, text in found:
        if heading:
            say(heading)
        say(text.rstrip("\n"))
    if more:
        say(more)
