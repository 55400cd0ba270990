"""packhorse init."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.studies.init import write_study
from packhorse.cli.output import say


@click.command(name="init")
@click.argument("script")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=None,
    help="The study file (default: study.yaml beside it).",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def init_command(script: str, output: Path | None, force: bool) -> None:
    """Write a study file for a script, with the parameters that it takes."""
    path, found = write_study(Path(script), output, replace=force)
    say(f"wrote {path}: {found}")
    say(f"edit it, then: packhorse try {path}, packhorse plan {path}, packhorse run {path}")
