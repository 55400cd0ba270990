"""packhorse sites choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.cli.output import as_object, json_option, say

if TYPE_CHECKING:
    from packhorse.app.sites.choose import Verdict


@click.command(name="choose")
@click.argument("study", required=False, type=click.Path(path_type=Path))
@click.option("--cores", type=click.IntRange(min=1), help="Cores of a job, on each node (default: 1).")
@click.option("--memory", metavar="SIZE", help="Memory of a job, on each node, such as '16 GB'.")
@click.option("--time", metavar="TIME", help="What a job may take, such as '2 h'.")
@click.option("--gpus", type=click.IntRange(min=0), help="GPUs of a job, on each node.")
@click.option("--nodes", type=click.IntRange(min=1), help="Nodes of a job (default: 1).")
@click.option("--partition", metavar="NAME", help="Only partitions of this name.")
@click.option("--account", metavar="NAME", help="The account that is charged.")
@json_option
def choose_command(study: Path | None, account: str | None, as_json: bool, **sizes: Any) -> None:
    """Say which sites take a job of this size, or STUDY, to which partition it goes, and why not to the others.

    \b
    packhorse sites choose --cores 16 --memory '64 GB' --time '2 days'
    packhorse sites choose --gpus 1
    packhorse sites choose study.yaml
    """
    import msgspec

    found = _verdicts(study, account, {name: value for name, value in sizes.items() if value is not None})
    if as_json:
        as_object({"sites": msgspec.to_builtins(found)})
        return
    for verdict in found:
        for row in _lines(verdict):
            say(row)
    if not any(one.fits for one in found):
        say("no site that is known here takes this; packhorse sites lists them")


def _verdicts(study: Path | None, account: str | None, sizes: dict[str, Any]) -> list[Verdict]:
    from packhorse.app.sites.choose import request_of, sites_for_job, sites_for_study
    from packhorse.model.errors import UsageError

    if study is None:
        return sites_for_job(request_of(account=account or "", **sizes), Path.cwd())
    own = [name for name in sizes if name != "partition"]
    if own:
        message = f"--{own[0]} is of a job; what the tasks of a study need stands in it"
        raise UsageError(message, f"write it under resources in {study}")
    said = {"partition": sizes.get("partition"), "account": account}
    return sites_for_study(study, said, Path.cwd())


def _lines(one: Verdict) -> Iterator[str]:
    where = f"{one.site}: {one.partition or 'the partition that its scheduler chooses'}"
    yield where if one.fits else f"{one.site}: does not fit"
    if one.kind:
        yield f"  on nodes that are asked for with {one.kind}"
    yield from (
        f"  {row}" for row in (one.sentence, *one.why, *(f"note: {note}" for note in one.notes)) if row
    )
    also = [f"{name} (with {kind})" if kind else name for name, kind in one.also.items()]
    if also:
        yield f"  also possible: {', '.join(also)}"
    yield from (f"  not {name}: {'; '.join(why)}" for name, why in one.others.items())
