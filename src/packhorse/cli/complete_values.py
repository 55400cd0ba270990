"""The values that shell completion offers: files, runs, sites, partitions and tasks, by the name of the parameter."""

from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from packhorse.model.errors import PackhorseError

MOST = 50  # tasks that are offered
FILES = ("target", "script", "study", "source", "place")


def with_values(command: click.Command) -> click.Command:
    """Return a command whose texts are completed. Only completion calls it: a run needs none of this."""
    for parameter in command.params:
        offer = OFFERS.get(parameter.name or "")
        if offer is not None and not isinstance(parameter.type, click.Path | click.Choice):
            parameter.type = _Completed(parameter.type, offer)
    return command


class _Completed(click.ParamType[Any]):
    """A type that converts as before, and completes."""

    def __init__(
        self, plain: click.ParamType[Any], offer: Callable[[click.Context, str], list[str] | None]
    ) -> None:
        self.name, self.plain, self.offer = plain.name, plain, offer

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            values = self.offer(ctx, incomplete)
        except (PackhorseError, OSError):  # a broken file must not disturb typing
            values = []
        if values is None:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(value) for value in values if value.startswith(incomplete)]


def _files(_ctx: click.Context, _incomplete: str) -> None:
    return None  # the shell completes files itself


def _runs(_ctx: click.Context, _incomplete: str) -> list[str]:
    return sorted(path.parent.name for path in Path("runs").glob("*/run.json"))


def _sites(_ctx: click.Context, _incomplete: str) -> list[str]:
    from packhorse.project.sites import known_sites

    return [site.name for site in known_sites(Path.cwd())]


def _partitions(ctx: click.Context, _incomplete: str) -> list[str]:
    from packhorse.project.sites import find_site

    name = ctx.params.get("site")
    return [part.name for part in find_site(name, Path.cwd()).partitions] if isinstance(name, str) else []


def _tasks(ctx: click.Context, _incomplete: str) -> list[str]:
    """Offer the tasks that failed, whose logs are read most."""
    run = ctx.params.get("run")
    runs = [Path("runs", run)] if isinstance(run, str) else sorted(Path("runs").glob("*/"))
    if len(runs) != 1 or not (runs[0] / "failures.csv").exists():
        return []
    with (runs[0] / "failures.csv").open(newline="") as file:
        return [row["ph_index"] for row in islice(csv.DictReader(file), MOST) if row.get("ph_index")]


OFFERS: dict[str, Callable[[click.Context, str], list[str] | None]] = {
    **dict.fromkeys(FILES, _files),
    "run": _runs,
    "site": _sites,
    "sites": _sites,
    "partition": _partitions,
    "task": _tasks,
}
