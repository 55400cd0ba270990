"""Options and steps that all commands share that run tasks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from packhorse.app.runs.outcome import outcome_lines, raise_for_outcome
from packhorse.app.runs.run import run_on_site, run_study
from packhorse.app.runs.run_output import detached_run, run_result
from packhorse.cli.output import json_option, print_json, say
from packhorse.cli.site_options import site_key, site_options
from packhorse.execution.run_model import Detached, Outcome, RunOptions
from packhorse.model.errors import UsageError
from packhorse.project.git_commit import commit_project
from packhorse.project.placement import place_of, unknown_sites
from packhorse.project.source import Source
from packhorse.project.terminal_reporter import QuietReporter, TerminalReporter

Command = Callable[..., Any]


def run_options(command: Command) -> Command:
    """Add the options of every command that runs tasks."""
    for option in reversed(
        (
            click.option("--run", "directory", type=click.Path(path_type=Path), help="The run directory."),
            click.option(
                "-j", "--jobs", type=click.IntRange(min=1), help="Tasks at a time (default: all cores)."
            ),
            click.option(
                "--cores",
                "--cpus",
                type=click.IntRange(min=1),
                help="Cores of a task, in place of the study's.",
            ),
            click.option("--memory", metavar="SIZE", help="Memory of a task, such as '4 GB'."),
            click.option("--time", metavar="TIME", help="Time of a task, such as '2 h'."),
            click.option("--gpus", type=click.IntRange(min=0), help="GPUs of a task."),
            click.option("--module", "modules", multiple=True, help="A module to load, beside the study's."),
            click.option("--commit", metavar="MESSAGE", help="Commit study and code first."),
            click.option(
                "--detach",
                is_flag=True,
                help="Return when the jobs are submitted; the run continues without this command.",
            ),
            json_option,
        )
    ):
        command = option(command)
    with_site: Command = site_options(command)
    return with_site


REQUESTS = ("cores", "memory", "time", "gpus", "modules")


def given_requests(options: dict[str, Any]) -> dict[str, Any]:
    """Remove the options about a task's request from a command's options; return those that were given."""
    values = {name: options.pop(name, None) for name in REQUESTS}
    return {name: value for name, value in values.items() if value not in (None, ())}


def reporter_for(*, as_json: bool) -> TerminalReporter:
    """Return the reporter of a command: quiet where standard output is for a JSON object."""
    return QuietReporter() if as_json else TerminalReporter()


def commit_first(source: Source, message: str | None) -> None:
    """Commit study and code where the user gave a commit message."""
    if message:
        say(commit_project(source, message))


def run_and_report(
    source: Source, options: RunOptions, place: dict[str, Any], *, as_json: bool, detach: bool = False
) -> None:
    """Run a study on this machine or on a site, print how it ended, and raise the error that it deserves."""
    reporter = reporter_for(as_json=as_json)
    for note in unknown_sites(source, site_key(place)):
        reporter.warn(note)
    outcome = _run(source, options, reporter, place, detach=detach)
    if isinstance(outcome, Detached):
        if as_json:
            print_json(detached_run(outcome))
        else:
            say(f"state: packhorse status {outcome.name}; to follow it, run the same command again")
        return
    if as_json:
        print_json(run_result(outcome))
    else:
        for line in outcome_lines(outcome):
            say(line)
    raise_for_outcome(outcome)


def _run(
    source: Source, options: RunOptions, reporter: TerminalReporter, place: dict[str, Any], *, detach: bool
) -> Outcome | Detached:
    if place.get("site") not in (None, "local"):
        return run_on_site(source, options, place_of(source, **place), reporter, detach=detach)
    site_only = sorted(place.keys() - {"site"}) or ["detach"] * detach
    if site_only:
        raise UsageError(
            f"--{site_only[0].replace('_', '-')} needs --site", "packhorse sites lists the sites"
        )
    return run_study(source, replace(options, here="site" in place), reporter)
