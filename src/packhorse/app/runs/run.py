"""Run a study on this machine or on a site."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from packhorse.app.runs.until import run_until
from packhorse.execution.local_execution import run_here
from packhorse.execution.run_model import Detached, Outcome, RunOptions
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.text import units

if TYPE_CHECKING:  # a run on this machine loads no code of sites
    from packhorse.project.placement import Place


def with_request(
    source: Source,
    *,
    cores: int | None = None,
    memory: str | None = None,
    time: str | None = None,
    gpus: int | None = None,
    modules: Sequence[str] = (),
) -> Source:
    """Return a study with another request of each task, as typed; raise StudyError for an amount without a unit."""
    study = source.study
    asked = {
        "cpus": cores,
        "memory": units.memory(memory, "--memory") if memory else None,
        "time": int(units.duration(time, "--time")) if time else None,
        "gpus": gpus,
    }
    resources = replace(
        study.resources, **{name: value for name, value in asked.items() if value is not None}
    )
    cluster = replace(study.cluster, modules=(*study.cluster.modules, *modules))
    return replace(source, study=replace(study, resources=resources, cluster=cluster))


def run_study(source: Source, options: RunOptions, reporter: Reporter) -> Outcome:
    """Run what is missing of a study on this machine, and merge its table."""

    def execute(source: Source, options: RunOptions) -> Outcome:
        return run_here(source, options, reporter)

    return run_until(source, options, reporter, execute)


def run_on_site(
    source: Source, options: RunOptions, place: Place, reporter: Reporter, *, detach: bool
) -> Outcome | Detached:
    """Run what is missing of a study on a site; with `detach` return when it is submitted."""

    def execute(source: Source, options: RunOptions) -> Outcome | Detached:
        return _run_wave_on_site(source, options, place, reporter, detach=detach)

    return run_until(source, options, reporter, execute)


def _run_wave_on_site(
    source: Source, options: RunOptions, place: Place, reporter: Reporter, *, detach: bool
) -> Outcome | Detached:
    from packhorse.cluster.monitor import StillRunning
    from packhorse.execution.site_execution import submit_run

    began = time.monotonic()
    execution, submitted = submit_run(source, options, place, reporter)
    if submitted.submission is None:
        return execution.close(submitted, None, began)
    if detach:
        return execution.detached(submitted)
    try:
        return execution.follow(submitted, began)
    except StillRunning as waited:
        site = place.site.name
        reporter.say(
            f"Stopped monitoring after {waited}: {site} closes idle logins. The run continues without this command."
            f" To monitor for longer: packhorse connect {site} --keep"
        )
        return execution.detached(submitted)
