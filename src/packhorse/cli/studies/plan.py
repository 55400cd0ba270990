"""packhorse plan."""

from __future__ import annotations

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
from packhorse.text.amounts import counted, hours


@click.command(name="plan")
@click.argument("study", default="study.yaml")
@click.option("--run", "directory", type=click.Path(path_type=Path), help="The run directory.")
@where_option
@click.option("--script", is_flag=True, help="With --site: also print the job script.")
@json_option
@site_options
def plan_command(
    study: str, directory: Path | None, where: tuple[str, ...], script: bool, as_json: bool, **options: Any
) -> None:
    """Show what a study would run, here or on a site, without running or submitting anything."""
    place = given_site_options(options)
    source = from_file(study, site_key(place))
    plan = _on_site(source, place, directory, where) if place else plan_study(source, directory, where)
    plan = replace(plan, notes=(*plan.notes, *unknown_sites(source, site_key(place))))
    if as_json:
        print_json(plan)
        return
    for row in plan_lines(plan, where):
        say(row)
    if script and plan.site:
        say(plan.site.script.rstrip("\n"))


def plan_lines(plan: StudyPlan, where: tuple[str, ...]) -> Iterator[str]:
    """Yield what a study would run as lines."""
    yield f"{plan.name}: {tasks(plan.tasks)} = {plan.product}"
    yield from (f"  {note}" for note in plan.notes)
    yield from (f"  task {index}: {argv}" for index, argv in plan.examples)
    if where and not plan.examples:
        yield f"  no task with {' and '.join(where)}"
    if plan.finished or plan.failed:
        counts = f"{number(plan.finished)} done, {number(plan.failed)} failed"
        yield f"  {counts}, {number(plan.missing)} to run"
    if plan.site:
        yield from site_plan_lines(plan.site)
        return
    if plan.expected is not None:
        cores = counted(plan.slots, "core")
        yield f"  about {duration(plan.expected)} on {cores}, estimated from finished tasks"
    yield f"  {plan.slots} at a time here, with {plan.python}"


def _on_site(
    source: Source, place: dict[str, Any], directory: Path | None, where: tuple[str, ...]
) -> StudyPlan:
    # Start-up: a plan for this machine needs no code about sites.
    from packhorse.app.studies.plan_site import plan_on_site

    if "site" not in place:
        first = next(iter(place)).replace("_", "-")
        raise UsageError(f"--{first} needs --site", "packhorse sites lists the sites")
    return plan_on_site(source, place, directory, where)


def site_plan_lines(site: SitePlan) -> Iterator[str]:
    """Yield what a study would request of a site, and the cost."""
    cost = site.cost
    yield f"on {site.name}: {site.sentence}"
    waves = counted(cost.waves, "wave") + ("" if cost.waves == 1 else ", each submitted by the one before")
    yield f"  {counted(cost.cores, 'core')} at a time; {waves}; {counted(cost.jobs, 'job')} in all"
    expected = f"expected {hours(cost.hours)} h and {hours(cost.core_hours)} core-hours"
    if cost.core_hours_most is None or cost.hours_most is None:
        worst = "maximum not known"
    else:
        worst = f"at most {hours(cost.hours_most)} h and {hours(cost.core_hours_most)} core-hours"
    yield f"  {expected}; {worst}; one wave uses at most {hours(cost.wave_core_hours)} core-hours"
    if site.folder:
        yield f"  run directory there: {site.folder}"
    yield from (f"  with {line}" for line in site.environment)
    yield from (f"  {note}" for note in (*site.notes, *site.assumed))
