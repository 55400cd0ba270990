"""Commands about study files: init, plan, try, schema."""

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
    task_option,
    tasks,
    where_option,
)
from packhorse.model.errors import UsageError


@click.command(name="init")
@click.argument("script")
@click.option("--output", "-o", type=click.Path(path_type=Path), default=None, help="The study's file.")
@click.option("--force", is_flag=True, help="Replace the file.")
def init_command(script: str, output: Path | None, force: bool) -> None:
    """Write a study for a script, with the parameters it takes."""
    from packhorse.app.writing import write_study

    path, found = write_study(Path(script), output, replace=force)
    say(f"wrote {path}: {found}")
    say(f"edit it, then: packhorse try {path}, packhorse plan {path}, packhorse run {path}")


@click.command(name="plan")
@click.argument("study", default="study.yaml")
@click.option("--run", "directory", type=click.Path(path_type=Path), help="The run's directory.")
@where_option
@json_option
def plan_command(study: str, directory: Path | None, where: tuple[str, ...], as_json: bool) -> None:
    """Say what a study would run here, without running it."""
    from packhorse.app.source import from_file
    from packhorse.app.writing import plan_study

    found = plan_study(from_file(study), directory, where)
    if as_json:
        as_object(found)
        return
    say(f"{found['name']}: {tasks(found['tasks'])} = {found['product']}")
    for row in found["notes"]:
        say(f"  {row}")
    for index, argv in found["examples"]:
        say(f"  task {index}: {argv}")
    if where and not found["examples"]:
        say(f"  no task with {' and '.join(where)}")
    if found["finished"] or found["failed"]:
        say(
            f"  {number(found['finished'])} are done, {number(found['failed'])} failed, {number(found['missing'])} to run"
        )
    if found["expected"] is not None:
        say(f"  about {duration(found['expected'])} on {found['slots']} core(s), by the tasks already run")
    say(f"  {found['slots']} at a time here, with {found['python']}")


@click.command(name="try")
@click.argument("study", default="study.yaml")
@task_option
@where_option
def try_command(study: str, task: int | None, where: tuple[str, ...]) -> int:
    """Run one task here in the foreground: its output, input and debugger are the terminal's."""
    from packhorse.app.writing import try_task

    status, said = try_task(study, task, where)
    for row in said:
        say(row)
    return status


@click.command(name="schema")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write it to a file.")
def schema_command(output: Path | None) -> None:
    """Print the JSON Schema of study files, for editors."""
    from packhorse.study.schema import json_schema

    print_schema(json_schema(), output, "study")


def print_schema(schema: dict[str, Any], output: Path | None, what: str) -> None:
    """Print a JSON Schema, or write it to a file; `what` is the kind of file that it describes."""
    import json

    text = json.dumps(schema, indent=1)
    if output is None:
        say(text)
        return
    if output.is_dir():
        raise UsageError(f"{output} is a folder", "name a file")
    output.write_text(text + "\n", encoding="utf-8")
    say(f"wrote {output}; the first line of a {what} may name it: # yaml-language-server: $schema={output}")
