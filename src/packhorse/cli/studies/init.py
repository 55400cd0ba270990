"""packhorse init."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.app.studies.init import write_study
from packhorse.cli.output import note, say


@click.command(name="init")
@click.argument("script")
@click.argument("subcommand", nargs=-1)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=None,
    help="The study file (default: study.yaml beside the script, or where it finds the files that it names).",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def init_command(script: str, subcommand: tuple[str, ...], output: Path | None, force: bool) -> None:
    """Write a study file for a script, with the parameters that it takes.

    SCRIPT may also be a notebook (.ipynb), an R Markdown or a Quarto document. SUBCOMMAND chooses one of a script's
    subcommands: packhorse init sim.py train
    """
    written = write_study(Path(script), output, subcommand, here=Path.cwd(), force=force)
    say(f"wrote {written.path}: {written.found}")
    for sentence in written.notes:
        note(f"note: {sentence}")
    path = written.path
    say(f"edit it, then: packhorse try {path}, packhorse plan {path}, packhorse run {path}")
