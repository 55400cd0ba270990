"""Printing: sentences to people, one JSON object to programs, progress on a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.project.terminal_reporter import LINE_SECONDS, note
from packhorse.project.terminal_reporter import QuietReporter as Quiet
from packhorse.project.terminal_reporter import TerminalReporter as Lines
from packhorse.text.amounts import byte_size as size
from packhorse.text.amounts import elapsed as duration

if TYPE_CHECKING:
    from packhorse.cluster.job_lookup import Named

__all__ = ["LINE_SECONDS", "Lines", "Quiet", "as_object", "duration", "note", "size"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
where_option = click.option(
    "--where", multiple=True, metavar="NAME=VALUE[,VALUE]", help="Only tasks with these parameters."
)
task_option = click.option("--task", type=int, help="The task's index (ph_index in the table).")
run_argument = click.argument("run", required=False)


def job_of(said: str | None) -> Named | None:
    """Return the job that SITE:JOB names; None for a run's name."""
    if said is None or ":" not in said:
        return None
    from packhorse.cluster.job_lookup import named_job

    return named_job(said, Path.cwd())


def say(text: str = "") -> None:
    """Print a sentence, at once: what is said of an error stands below it, also in a file."""
    print(text, flush=True)


def as_object(value: Any) -> None:
    """Print one JSON object on one line."""
    print(json.dumps(value, default=str))


def number(value: int) -> str:
    """Return a whole number with separators."""
    return f"{value:,}"


def tasks(value: int) -> str:
    """Return how many tasks, in words that agree."""
    return f"{number(value)} task{'' if value == 1 else 's'}"
