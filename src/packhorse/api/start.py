"""Run tasks of a study from Python, here or on a site, as `packhorse run` does."""

from __future__ import annotations

import os
from typing import Any

from msgspec.structs import replace

from packhorse.app.runs.outcome import outcome_lines, raise_for_outcome
from packhorse.app.runs.run import run_on_site, run_study
from packhorse.execution.run_model import Detached, Outcome, RunOptions
from packhorse.model.errors import RunError, UsageError
from packhorse.project.placement import place_of
from packhorse.project.source import Source
from packhorse.project.terminal_reporter import QuietReporter, TerminalReporter, note


def start(
    source: Source,
    options: RunOptions,
    place: dict[str, Any],
    *,
    detach: bool,
    progress: bool,
    check: bool,
) -> Outcome | Detached:
    """Run what is missing; `place` are the options that choose a site and its request, empty on this machine.

    Raises the error of the command's exit code unless `check` is false, UsageError for options that need a site.
    """
    refuse_inside_task()
    reporter = TerminalReporter() if progress else QuietReporter()
    if place.get("site") in (None, "local"):
        site_only = sorted(place.keys() - {"site"}) or ["detach"] * detach
        if site_only:
            raise UsageError(
                f"{site_only[0]} needs a site", 'run(site="NAME"); packhorse sites lists the sites'
            )
        outcome: Outcome | Detached = run_study(source, replace(options, here="site" in place), reporter)
    else:
        outcome = run_on_site(source, options, place_of(source, **place), reporter, detach=detach)
    if isinstance(outcome, Detached):
        return outcome
    if progress:
        for line in outcome_lines(outcome):
            note(line)
    if check:
        raise_for_outcome(outcome)
    return outcome


def refuse_inside_task() -> None:
    """Raise RunError inside a task, which would start the run that it belongs to."""
    if "PACKHORSE_RUN" in os.environ:
        message = "a run was started inside a task, which imported the script that starts the run"
        raise RunError(message, 'write if __name__ == "__main__": above the line that calls .run()')
