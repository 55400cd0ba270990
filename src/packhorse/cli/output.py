"""Output: text for people, one JSON object for programs, progress on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec import Struct

from packhorse.project.terminal_reporter import LINE_SECONDS, note
from packhorse.project.terminal_reporter import QuietReporter as Quiet
from packhorse.project.terminal_reporter import TerminalReporter as Lines
from packhorse.text.amounts import byte_size as size
from packhorse.text.amounts import elapsed as duration

if TYPE_CHECKING:
    from packhorse.cluster.job_lookup import JobReference

__all__ = ["LINE_SECONDS", "Lines", "Quiet", "duration", "note", "size"]

NO_RUN = "no run here yet; packhorse run study.yaml makes one"

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
where_option = click.option(
    "--where", multiple=True, metavar="NAME=VALUE[,VALUE]", help="Only tasks with these parameters."
)
task_option = click.option("--task", type=int, help="The task's index (ph_index in the table).")
run_argument = click.argument("run", required=False)


def job_of(text: str | None) -> JobReference | None:
    """Return the job that SITE:JOB names; None for a run's name."""
    if text is None or ":" not in text:
        return None
    # Start-up: a run on this machine needs no code about sites.
    from packhorse.cluster.job_lookup import find_job_reference

    return find_job_reference(text, Path.cwd())


def say(text: str = "") -> None:
    """Print a line and flush, so that an error follows it also in a file."""
    print(text, flush=True)


def print_json(value: Struct) -> None:
    """Print a JSON object on one line."""
    # json and not msgspec: integers of any size, and NaN, as parameters and results may hold them.
    print(json.dumps(msgspec.to_builtins(value), default=str))


def number(value: int) -> str:
    """Return a whole number with separators."""
    return f"{value:,}"


def tasks(value: int) -> str:
    """Return how many tasks, in singular or plural."""
    return f"{number(value)} task{'' if value == 1 else 's'}"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows with their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
