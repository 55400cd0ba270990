"""packhorse plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from packhorse.cli.output import (
    as_object,
    duration,
    json_option,
    number,
    say,
    tasks,
    where_option,
)
from packhorse.cli.site_options import site_key, site_options, taken
from packhorse.model.errors import UsageError


@click.command(name="plan")
@click.argument("study", default="study.yaml")
@click.option("--run", "directory", type=click.Path(path_type=Path), help="The run's directory.")
@where_option
@click.option("--script", is_flag=True, help="With --site: also print the job script.")
@json_option
@site_options
def plan_command(
    study: str, directory: Path | None, where: tuple[str, ...], script: bool, as_json: bool, **options: Any
) -> None:
    """Say what a study would run, here or on a site, without running or sending anything."""
    from packhorse.app.studies.plan import plan_study
    from packhorse.project.placement import unknown_sites
    from packhorse.project.source import from_file

    place = taken(options)
    source = from_file(study, site_key(place))
    found = _on_site(source, place, directory, where) if place else plan_study(source, directory, where)
    found["notes"] += unknown_sites(source, site_key(place))
    if as_json:
        as_object(found)
        return
    for row in plan_lines(found, where):
        say(row)
    if script and place:
        say(found["site"]["script"].rstrip("\n"))


def plan_lines(found: dict[str, Any], where: tuple[str, ...]) -> list[str]:
    """Return what a study would run as sentences."""
    rows = [f"{found['name']}: {tasks(found['tasks'])} = {found['product']}"]
    rows += [f"  {note}" for note in found["notes"]]
    rows += [f"  task {index}: {argv}" for index, argv in found["examples"]]
    if where and not found["examples"]:
        rows.append(f"  no task with {' and '.join(where)}")
    if found["finished"] or found["failed"]:
        missing = number(found["missing"])
        rows.append(
            f"  {number(found['finished'])} are done, {number(found['failed'])} failed, {missing} to run"
        )
    if "site" in found:
        return rows + site_lines(found["site"])
    if found["expected"] is not None:
        length = duration(found["expected"])
        rows.append(f"  about {length} on {found['slots']} core(s), by the tasks already run")
    rows.append(f"  {found['slots']} at a time here, with {found['python']}")
    return rows


def _on_site(
    source: Any, place: dict[str, Any], directory: Path | None, where: tuple[str, ...]
) -> dict[str, Any]:
    from packhorse.app.studies.plan_site import plan_on_site

    if "site" not in place:
        first = next(iter(place)).replace("_", "-")
        raise UsageError(f"--{first} needs --site", "packhorse sites lists the sites")
    return plan_on_site(source, place, directory, where)


def site_lines(site: dict[str, Any]) -> list[str]:
    """Return what a study would ask of a site, and what that costs."""
    from packhorse.text.amounts import hours

    cost, least = site["cost"], site["cost"]["core_hours"]
    most = cost["core_hours_most"]
    rows = [f"on {site['name']}: {site['sentence']}"]
    waves = (
        "1 wave" if cost["waves"] == 1 else f"{number(cost['waves'])} waves, one after another, by themselves"
    )
    rows.append(f"  {number(cost['cores'])} cores at a time; {waves}; {number(cost['jobs'])} jobs in all")
    expected = f"  expected {hours(cost['hours'])} h and {hours(least)} core-hours"
    worst = (
        "nobody knows the most"
        if most is None
        else (f"at most {hours(cost['hours_most'])} h and {hours(most)} core-hours")
    )
    rows.append(f"{expected}; {worst}; one wave uses at most {hours(cost['wave_core_hours'])} core-hours")
    if site["folder"]:
        rows.append(f"  the run will live in {site['folder']} there")
    rows += [f"  with {what}" for what in site.get("environment", ())]
    rows += [f"  {note}" for note in (*site["notes"], *site["assumed"])]
    return rows
