"""packhorse logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packhorse.app.inspect.follow import follow_task
from packhorse.app.inspect.logs import JobLog, JobLogs, TaskLog, logs
from packhorse.cli.output import job_of, json_option, note, print_json, say, task_option, where_option
from packhorse.model.errors import UsageError
from packhorse.rundir.directory import find_run
from packhorse.rundir.submissions import read_script_job

if TYPE_CHECKING:
    from packhorse.cluster.job_lookup import JobReference

SHOWN = 8  # files in one line


@click.command(name="logs")
@click.argument("run", required=False, metavar="[RUN|SITE:JOB]")
@task_option
@click.option("--failed", is_flag=True, help="The output of failed tasks, up to twenty (the default).")
@where_option
@click.option("--follow", is_flag=True, help="Show new output until the task, or the job, has ended.")
@json_option
def logs_command(
    run: str | None, task: int | None, failed: bool, where: tuple[str, ...], follow: bool, as_json: bool
) -> None:
    """Show the output of a task; without --task, of failed tasks.

    With --follow, show what a task prints while it runs, here or on a cluster.

    SITE:JOB shows the output of any job of yours, also one that you submitted by hand; of an array, --task N shows
    element N.
    """
    job = _job(run, task)
    if job is not None:
        _job_logs(job, follow=follow, as_json=as_json)
        return
    if follow:
        if as_json:
            raise UsageError("--follow shows text, and no JSON object", "packhorse logs RUN --task N --json")
        follow_task(Path.cwd(), run, task, where, lambda text: print(text, end="", flush=True), note)
        return
    found = logs(Path.cwd(), run, task, where, failed=failed)
    if as_json:
        print_json(found)
        return
    if found.note:
        note(found.note)
    if not found.logs:
        say(found.why or "no task failed; to see one: packhorse logs RUN --task 0")
    for log in found.logs:
        _say_log(log)


def _say_log(log: TaskLog) -> None:
    if not log.text.startswith("== task"):
        say(f"== task {log.task} ==")
    say(log.text.rstrip("\n"))
    if log.files:
        more = f" and {len(log.files) - SHOWN:,} more" if len(log.files) > SHOWN else ""
        mark = ", partial" if log.partial else ""
        say(f"-- files kept{mark}: {', '.join(log.files[:SHOWN])}{more} (in {log.folder} of the run) --")


def _job(run: str | None, element: int | None) -> JobReference | None:
    """Return the job that SITE:JOB or the run of a script job names, or one element of it; None for a study's run."""
    job = job_of(run) or _script_job(run)
    if job is None or element is None:
        return job
    from packhorse.cluster.job_lookup import with_element

    return with_element(job, element)


def _script_job(run: str | None) -> JobReference | None:
    """Return the job of a run that is a script job."""
    found = find_run(Path.cwd(), run)
    if read_script_job(found) is None:
        return None
    # Start-up: a run on this machine needs no code about sites, here and below.
    from packhorse.cluster.script_job import script_job_reference

    return script_job_reference(found)


def _job_logs(job: JobReference, *, follow: bool, as_json: bool) -> None:
    from packhorse.cluster.job_lookup import follow_job, job_logs

    if follow:
        follow_job(job, lambda text: print(text, end="", flush=True))
        return
    found, more = job_logs(job)
    if as_json:
        print_json(JobLogs(logs=tuple(JobLog(heading=heading, text=text) for heading, text in found)))
        return
    for heading, text in found:
        if heading:
            say(heading)
        say(text.rstrip("\n"))
    if more:
        say(more)
