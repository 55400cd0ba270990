"""packhorse explain."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from packhorse.app.inspect.explain import Explanation, explain
from packhorse.cli.output import json_option, print_json, run_argument, say, task_option, where_option

SHOWN = 8  # files in one line


@click.command(name="explain")
@run_argument
@task_option
@where_option
@json_option
def explain_command(run: str | None, task: int | None, where: tuple[str, ...], as_json: bool) -> None:
    """Show what a task ran, where, with what, and how to repeat it by hand."""
    found = explain(Path.cwd(), run, task, where)
    if as_json:
        print_json(found)
        return
    for row in _lines(found):
        say(row)


def _lines(found: Explanation) -> Iterator[str]:
    record = found.record or {}
    if found.note:
        yield f"note: {found.note}"
    yield f"task {found.task} of {found.run}: {found.state}"
    for name, value in found.parameters.items():
        yield f"  {name} = {value}"
    yield f"  replicate {found.replicate}, seed {found.seed} (31 bits: {found.seed32})"
    if record:
        wall, cpu, memory = (record.get(name, 0) for name in ("wall", "cpu", "memory"))
        used = f": {wall:g} s wall, {cpu:g} s CPU, {memory // 1024} MiB" if "wall" in record else ""
        yield f"  on {found.host} in wave {found.wave}{used}"
    if found.start:
        yield f"  started {found.start}"
        yield from [f"  {found.warm}"] if found.warm and found.start == "cold" else ()
    if record.get("cause"):
        yield f"  cause: {record['cause']}"
    for row in found.traceback:
        yield f"    {row}"
    if record.get("artifacts"):
        yield from _files(found, record["artifacts"])
    yield f"  code {found.code}, environment {found.environment or 'none'}, python {found.python}"
    yield f"to repeat it by hand{' on ' + found.site if found.site else ''}:"
    yield from (f"  {row}" for row in found.repeat)


def _files(found: Explanation, number: int) -> Iterator[str]:
    """Yield what was kept of the task."""
    mark = ", partial: it did not end OK" if found.partial else ""
    yield f"  files kept: {number:,}{mark}"
    if found.files:
        more = f" and {len(found.files) - SHOWN:,} more" if len(found.files) > SHOWN else ""
        folder = Path(found.run) / found.folder
        yield f"    {', '.join(found.files[:SHOWN])}{more} (in {folder})"
    elif found.site:
        yield f"    on {found.site}; to download them: packhorse get {shlex.quote(Path(found.run).name)}"
