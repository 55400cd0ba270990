"""packhorse sites choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from packhorse.app.sites.choose import Choices, Verdict, request_of, sites_for_job, sites_for_study
from packhorse.cli.output import json_option, print_json, say
from packhorse.model.errors import UsageError


@click.command(name="choose")
@click.argument("study", required=False, type=click.Path(path_type=Path))
@click.option(
    "--cores", "--cpus", type=click.IntRange(min=1), help="Cores of a job, on each node (default: 1)."
)
@click.option("--memory", metavar="SIZE", help="Memory of a job, on each node, such as '16 GB'.")
@click.option("--time", metavar="TIME", help="Time limit of a job, such as '2 h'.")
@click.option("--gpus", type=click.IntRange(min=0), help="GPUs of a job, on each node.")
@click.option("--nodes", type=click.IntRange(min=1), help="Nodes of a job (default: 1).")
@click.option("--partition", metavar="NAME", help="Only partitions of this name.")
@click.option("--account", metavar="NAME", help="The account to charge.")
@json_option
def choose_command(study: Path | None, account: str | None, as_json: bool, **sizes: Any) -> None:
    """Show which sites and partitions fit a job of this size, or STUDY, and why the others do not.

    \b
    packhorse sites choose --cores 16 --memory '64 GB' --time '2 days'
    packhorse sites choose --gpus 1
    packhorse sites choose study.yaml
    """
    found = _choices(study, account, {name: value for name, value in sizes.items() if value is not None})
    if as_json:
        print_json(found)
        return
    for verdict in found.sites:
        for row in _lines(verdict):
            say(row)
    if not any(verdict.fits for verdict in found.sites):
        say("no known site fits; packhorse sites lists them")


def _choices(study: Path | None, account: str | None, sizes: dict[str, Any]) -> Choices:
    if study is None:
        return sites_for_job(request_of(account=account or "", **sizes), Path.cwd())
    of_job = [name for name in sizes if name != "partition"]
    if of_job:
        message = f"--{of_job[0]} is for a job; a study names its own resources"
        raise UsageError(message, f"write it under resources in {study}")
    options = {"partition": sizes.get("partition"), "account": account}
    return sites_for_study(study, options, Path.cwd())


def _lines(verdict: Verdict) -> Iterator[str]:
    where = verdict.partition or "the partition that its scheduler chooses"
    yield f"{verdict.site}: {where if verdict.fits else 'does not fit'}"
    if verdict.kind:
        yield f"  on nodes requested with {verdict.kind}"
    notes = (f"note: {note}" for note in verdict.notes)
    yield from (f"  {row}" for row in (verdict.sentence, *verdict.why, *notes) if row)
    also = [f"{name} (with {kind})" if kind else name for name, kind in verdict.also.items()]
    if also:
        yield f"  also possible: {', '.join(also)}"
    yield from (f"  not {name}: {'; '.join(why)}" for name, why in verdict.others.items())
