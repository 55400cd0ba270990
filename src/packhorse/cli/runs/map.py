"""packhorse map."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from packhorse.app.runs.map import map_source
from packhorse.app.runs.run import with_request
from packhorse.cli.output import note, say
from packhorse.cli.runs.run_options import commit_first, given_requests, run_and_report, run_options
from packhorse.cli.site_options import given_site_options
from packhorse.execution.run_model import RunOptions


@click.command(name="map", context_settings={"ignore_unknown_options": False})
@click.argument("template")
@click.argument("assignments", nargs=-1, metavar="NAME=VALUE,VALUE...")
@click.option("--replicates", type=click.IntRange(min=1), help="Repetitions of each point.")
@click.option("--seed", type=int, help="The study's seed.")
@click.option("--result", help="Source of results: auto, json, none, or a file name.")
@click.option("--name", help="The study's name.")
@click.option("--data", multiple=True, help="A data file or folder the command reads.")
@click.option("--shell", is_flag=True, help="Run the command with /bin/sh, for pipes and redirections.")
@click.option("--save", type=click.Path(path_type=Path), help="Also write the study to this file.")
@click.option("--fresh", is_flag=True, help="Run all tasks again.")
@click.option("--keep", is_flag=True, help="Keep finished tasks although code, environment or data changed.")
@run_options
def map_command(
    template: str,
    assignments: tuple[str, ...],
    as_json: bool,
    save: Path | None,
    directory: Path | None,
    jobs: int | None,
    commit: str | None,
    fresh: bool,
    keep: bool,
    detach: bool,
    **keys: Any,
) -> None:
    """Run a command over parameters, in one line.

    \b
    packhorse map 'python sim.py --n {n} --seed {seed}' n=10,20,50 --replicates 100
    """
    place, request = given_site_options(keys), given_requests(keys)
    keys["data"] = list(keys["data"]) or None
    keys["shell"] = keys["shell"] or None
    source = map_source(template, assignments, save, keys, Path.cwd())
    if save:
        (note if as_json else say)(
            f"study written to {save}; to run it: packhorse run {shlex.quote(str(save))}"
        )
    source = with_request(source, **request)
    commit_first(source, commit)
    options = RunOptions(run=directory, jobs=jobs, fresh=fresh, keep=keep)
    run_and_report(source, options, place, as_json=as_json, detach=detach)
