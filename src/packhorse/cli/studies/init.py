"""packhorse init."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import (
    say,
)


@click.command(name="init")
@click.argument("script")
@click.option("--output", "-o", type=click.Path(path_type=Path), default=None, help="The study's file.")
@click.option("--force", is_flag=True, help="Replace the file.")
def init_command(script: str, output: Path | None, force: bool) -> None:
    """Write a study for a script, with the parameters it takes."""
    from packhorse.app.studies.init import write_study

    path, found = write_study(Path(script), output, replace=force)
    say(f"wrote {path}: {found}")
    say(f"edit it, then: packhorse try {path}, packhorse plan {path}, packhorse run {path}")
