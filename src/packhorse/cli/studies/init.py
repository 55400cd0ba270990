"""packhorse init."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from packhorse.app.studies.init import write_first_test, write_study
from packhorse.cli.output import note, say
from packhorse.model.errors import CheckError, UsageError


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
@click.option(
    "--test",
    is_flag=True,
    help="Write a first unit test of a function, sim.py:estimate or sim.R:estimate, and run it.",
)
def init_command(
    script: str, subcommand: tuple[str, ...], output: Path | None, force: bool, test: bool
) -> None:
    """Write a study file for a script, with the parameters that it takes.

    SCRIPT may also be a notebook (.ipynb), an R Markdown or a Quarto document. SUBCOMMAND chooses one of a script's
    subcommands: packhorse init sim.py train
    """
    if test:
        if subcommand or output:
            raise UsageError("--test takes a function only", f"packhorse init --test {script}")
        _first_test(script, force=force)
        return
    written = write_study(Path(script), output, subcommand, here=Path.cwd(), force=force)
    say(f"wrote {written.path}: {written.found}")
    for sentence in written.notes:
        note(f"note: {sentence}")
    path = shlex.quote(str(written.path))
    say(f"edit it, then: packhorse try {path}, packhorse plan {path}, packhorse run {path}")


def _first_test(target: str, *, force: bool) -> None:
    written = write_first_test(target, force=force)
    say(f"wrote {written.path}")
    say(written.printed)
    for sentence in written.notes:
        note(f"note: {sentence}")
    if not written.passed:
        raise CheckError(
            f"the test {written.path} does not pass", "correct the function, or the arguments in the test"
        )
