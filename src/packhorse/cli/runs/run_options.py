"""Options and steps that all commands share that run tasks."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import click

from packhorse.app.runs.run_output import detached_run, run_result
from packhorse.cli.output import (
    json_option,
    print_json,
    say,
)
from packhorse.cli.site_options import site_key, site_options
from packhorse.model.errors import UsageError


def run_options(command: Any) -> Any:
    """Add the options of everything that runs."""
    for option in reversed(
        (
            click.option("--run", "directory", type=click.Path(path_type=Path), help="The run's directory."),
            click.option(
                "-j", "--jobs", type=click.IntRange(min=1), help="Tasks at a time (default: all cores)."
            ),
            click.option("--commit", metavar="MESSAGE", help="Commit study and code first."),
            click.option(
                "--detach",
                is_flag=True,
                help="Return when the jobs are submitted; the run goes on by itself.",
            ),
            json_option,
        )
    ):
        command = option(command)
    return site_options(command)


def commit_first(source: Any, message: str | None) -> None:
    """Commit the project, where a message was given."""
    from packhorse.project.git_commit import commit_project

    if message:
        say(commit_project(source, message))


def stop_on_terminate() -> None:
    """Let SIGTERM and SIGHUP stop as Ctrl-C does: what is finished is kept."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)


def run_and_report(
    source: Any, options: Any, reporter: Any, as_json: bool, place: dict[str, Any], *, detach: bool = False
) -> None:
    """Run a study, print the result, and raise the error that decides the exit code."""
    from packhorse.cli.run_report import closing_lines, judge
    from packhorse.project.placement import unknown_sites

    for note in unknown_sites(source, site_key(place)):
        reporter.warn(note)
    outcome = _run(source, options, reporter, place, detach=detach)
    if outcome is None:
        return
    if hasattr(outcome, "joined"):  # detached: the jobs are on their way
        if as_json:
            print_json(detached_run(outcome))
        else:
            say(f"packhorse status {outcome.name} says how it stands; packhorse run follows it")
        return
    if as_json:
        print_json(run_result(outcome))
    else:
        for row in closing_lines(outcome):
            say(row)
    judge(outcome)


def _run(source: Any, options: Any, reporter: Any, place: dict[str, Any], *, detach: bool) -> Any:
    """Run here, or on the site that was named."""
    from msgspec.structs import replace

    from packhorse.app.runs.run import run_study

    if place.get("site") in (None, "local"):
        if place.keys() - {"site"} or detach:
            raise UsageError(
                f"--{sorted(place.keys() - {'site'} or {'detach'})[0].replace('_', '-')} needs --site",
                "packhorse sites lists the sites",
            )
        return run_study(source, replace(options, here="site" in place), reporter)
    from packhorse.app.runs.run import run_on_site
    from packhorse.project.placement import place_of

    return run_on_site(source, options, place_of(source, **place), reporter, detach=detach)
