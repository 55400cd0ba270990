"""packhorse plan."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from packhorse.app.studies.plan import SitePlan, StudyPlan, plan_study
from packhorse.cli.output import duration, json_option, number, print_json, say, tasks, where_option
from packhorse.cli.site_options import given_site_options, site_key, site_options
from packhorse.model.errors import UsageError
from packhorse.project.placement import unknown_sites
from packhorse.project.source import Source, from_file
from packhorse.text.amounts import counted, hours, span


@click.command(name="plan")
@click.argument("study", default="study.yaml")
@click.option("--run", "directory", type=click.Path(path_type=Path), help="The run directory.")
@where_option
@click.option("--script", is_flag=True, help="With --site: also print the job script.")
@click.option("-v", "--verbose", is_flag=True, help="Also show commands, waves, folders and assumptions.")
@json_option
@site_options
def plan_command(
    study: str,
    directory: Path | None,
    where: tuple[str, ...],
    script: bool,
    verbose: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Show what a study would run, here or on a site, without running or submitting anything."""
    place = given_site_options(options)
    source = from_file(study, site_key(place))
    plan = _on_site(source, place, directory, where) if place else plan_study(source, directory, where)
    plan = replace(plan, notes=(*plan.notes, *unknown_sites(source, site_key(place))))
    if as_json:
        print_json(plan)
        return
    for row in plan_lines(plan, study, where, verbose=verbose):
        say(row)
    if script and plan.site:
        say(plan.site.script.rstrip("\n"))


def plan_lines(plan: StudyPlan, study: str, where: tuple[str, ...], *, verbose: bool) -> Iterator[str]:
    """Yield what a study would run as lines: the tasks, where, the hours, what to type next, and what to know first."""
    done = f"; {number(plan.finished)} done, {number(plan.failed)} failed, {number(plan.missing)} to run"
    follows = f" = {plan.product}" if plan.product else ""
    yield f"{plan.name}: {tasks(plan.tasks)}{follows}{done if plan.finished or plan.failed else ''}"
    if where or verbose:
        yield from (f"  task {index}: {argv}" for index, argv in plan.examples)
    if where and not plan.examples:
        yield f"  no task with {' and '.join(where)}"
    yield from site_plan_lines(plan.site, verbose=verbose) if plan.site else _here(plan)
    if verbose:
        yield f"  snapshot: {plan.snapshot}"
    yield f"next: {_next(plan, study)}"
    yield from (f"note: {note}" for note in (*plan.notes, *(plan.site.notes if plan.site else ())))


def _here(plan: StudyPlan) -> Iterator[str]:
    yield f"here: {counted(plan.slots, 'task')} at a time, with {plan.python}"
    if plan.expected is not None and plan.missing:
        yield f"about {duration(plan.expected)} on {counted(plan.slots, 'core')}, estimated from finished tasks"


def _next(plan: StudyPlan, study: str) -> str:
    """Return the command to type next."""
    named = shlex.quote(study)
    if not plan.missing and plan.failed:
        return f"packhorse retry {shlex.quote(plan.name)}"
    if not plan.missing:
        return f"packhorse summary {shlex.quote(plan.name)}; no task is left to run"
    if plan.site:
        connect = "" if plan.site.connected else f"packhorse connect {plan.site.name}, then "
        return f"{connect}packhorse run {named} --site {plan.site.name}"
    return (
        f"packhorse run {named}"
        if plan.finished or plan.failed
        else f"packhorse try {named}, then packhorse run {named}"
    )


def _on_site(
    source: Source, place: dict[str, Any], directory: Path | None, where: tuple[str, ...]
) -> StudyPlan:
    # Start-up: a plan for this machine needs no code about sites.
    from packhorse.app.studies.plan_site import plan_on_site

    if "site" not in place:
        first = next(iter(place)).replace("_", "-")
        raise UsageError(f"--{first} needs --site", "packhorse sites lists the sites")
    return plan_on_site(source, place, directory, where)


def site_plan_lines(site: SitePlan, *, verbose: bool) -> Iterator[str]:
    """Yield what a study would request of a site, and the cost."""
    cost = site.cost
    waves = f"; {counted(cost.waves, 'wave')}, each submitted by the one before" if cost.waves > 1 else ""
    yield f"on {site.name}: {site.jobs}{waves}"
    most = "the maximum is not known"
    if cost.core_hours_most is not None and cost.hours_most is not None:
        most = f"at most {span(3600 * cost.hours_most)} and {hours(cost.core_hours_most)} core-hours"
    yield f"expected: {span(3600 * cost.hours)} and {hours(cost.core_hours)} core-hours; {most}"
    if not verbose:
        return
    yield f"  {counted(cost.cores, 'core')} at a time; {counted(cost.jobs, 'job')} in all"
    yield f"  one wave uses at most {hours(cost.wave_core_hours)} core-hours"
    if site.folder:
        yield f"  run directory there: {site.folder}"
    yield from (f"  with {line}" for line in site.environment)
    yield from (f"  {assumption}" for assumption in site.assumed)
