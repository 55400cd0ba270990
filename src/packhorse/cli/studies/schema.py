"""packhorse schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from packhorse.cli.output import say
from packhorse.model.errors import UsageError
from packhorse.study.schema import json_schema


@click.command(name="schema")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write it to a file.")
def schema_command(output: Path | None) -> None:
    """Print the JSON Schema of study files, for editors."""
    print_schema(json_schema(), output, "study")


def print_schema(schema: dict[str, Any], output: Path | None, what: str) -> None:
    """Print a JSON Schema, or write it to a file; `what` is the kind of file that it describes."""
    text = json.dumps(schema, indent=1)
    if output is None:
        say(text)
        return
    if output.is_dir():
        raise UsageError(f"{output} is a folder", "name a file")
    output.write_text(text + "\n", encoding="utf-8")
    say(
        f"wrote {output}; to use it, make this the first line of a {what} file: # yaml-language-server: $schema={output}"
    )
