"""packhorse diagnose."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.jobs.diagnose import Cause, Diagnosis, diagnose
from packhorse.cli.output import json_option, note, print_json, say


@click.command(name="diagnose")
@click.argument("subject", metavar="JOB|SITE:JOB|JOB.sh|RUN|LOGFILE")
@click.option(
    "--site", default="", metavar="NAME", help="The site of the job (default: that of this login node)."
)
@json_option
def diagnose_command(subject: str, site: str, as_json: bool) -> None:
    """Say why a job failed, how sure that is, and what to change.

    \b
    packhorse diagnose slurm-4711.out       a log
    packhorse diagnose job.sh               a script, with its newest log
    packhorse diagnose quartz:4711          any job of yours at a site
    packhorse diagnose fit-1                a run

    It reads what the scheduler says, the end of the log and the script. Where the script can be corrected, the
    change is shown as a diff; nothing is changed.
    """
    found = diagnose(subject, site, Path.cwd())
    if as_json:
        print_json(found)
        return
    _print(found)


def _print(found: Diagnosis) -> None:
    for text in found.notes:
        note(text)
    if not found.causes:
        state = f" The job's state: {found.state}." if found.state else ""
        say(f"no known cause in {', '.join(found.read) or 'what was read'}.{state}")
        return
    if found.state == "done":
        say("The job ended without an error, as the scheduler says. Its log shows:")
    first, *others = found.causes
    _print_cause(first)
    for cause in others:
        say(f"\nalso ({cause.sure}): {cause.sentence}\n    {_place(cause)}")


def _print_cause(cause: Cause) -> None:
    say(cause.sentence)
    say(f"    {_place(cause)}")
    say(f"sure: {cause.sure}; kind: {cause.kind}")
    say(f"to do: {cause.remedy}")
    if cause.diff:
        say(cause.diff.rstrip("\n"))


def _place(cause: Cause) -> str:
    place = f"{cause.path}:{cause.line}: " if cause.line else f"{cause.path}: " if cause.path else ""
    return f"{place}{cause.text}"
