"""packhorse explain."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import (
    as_object,
    json_option,
    run_argument,
    say,
    task_option,
    where_option,
)


@click.command(name="explain")
@run_argument
@task_option
@where_option
@json_option
def explain_command(run: str | None, task: int | None, where: tuple[str, ...], as_json: bool) -> None:
    """Say what a task ran, where, with what, and how to repeat it by hand."""
    from packhorse.app.inspect.explain import explain

    found = explain(Path.cwd(), run, task, where)
    if as_json:
        as_object(found)
        return
    record = found.get("record", {})
    say(f"task {found['task']} of {found['run']}: {found['state']}")
    for name, value in found["parameters"].items():
        say(f"  {name} = {value}")
    say(f"  replicate {found['replicate']}, seed {found['seed']} (31 bits: {found['seed32']})")
    if record:
        wall, cpu = record.get("wall", 0), record.get("cpu", 0)
        say(
            f"  on {found['host']} in wave {found['wave']}:"
            f" {wall:g} s wall, {cpu:g} s CPU, {record.get('memory', 0) // 1024} MiB"
        )
    if record.get("cause"):
        say(f"  cause: {record['cause']}")
    say(f"  code {found['code']}, environment {found['environment'] or 'none'}, python {found['python']}")
    say(f"to repeat it by hand{' on ' + found['site'] if found['site'] else ''}:")
    for row in found["repeat"]:
        say(f"  {row}")
