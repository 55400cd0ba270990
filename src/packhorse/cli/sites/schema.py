"""packhorse sites schema."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.studies.schema import print_schema
from packhorse.sites.keys import json_schema


@click.command(name="schema")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write it to a file.")
def schema_command(output: Path | None) -> None:
    """Print the JSON Schema of site files, for editors."""
    print_schema(json_schema(), output, "site")
