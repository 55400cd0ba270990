"""packhorse adopt."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from packhorse.app.studies.adopt import Adopted, adopt
from packhorse.app.studies.adopt_job import AdoptOptions
from packhorse.cli.output import json_option, note, print_json, say, tasks
from packhorse.model.errors import UsageError
from packhorse.model.space import ParameterSpace


@click.command(name="adopt", context_settings={"allow_interspersed_args": False})
@click.argument("script", type=click.Path(path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--array",
    default="",
    metavar="INDICES",
    help="The array's indices, if they were on the submit line: 1-200.",
)
@click.option(
    "--variable",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of the submit line (sbatch --export, qsub -v); may be repeated.",
)
@click.option(
    "--form",
    type=click.Choice(["auto", "named", "script"]),
    default="auto",
    help="named: start the program itself, with named parameters; script: run the script for each index; auto: named"
    " where it is proved to be the same.",
)
@click.option(
    "--result", default="", metavar="FILE", help="The file with a task's result, such as out/{task_id}.csv."
)
@click.option(
    "--results",
    default="",
    metavar="PATTERN",
    help="Take in the results that exist, such as 'out/sim_*.csv'; only the other tasks will run.",
)
@click.option(
    "--combine",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help="A script that combines the results into one table, which must be the same as that of Packhorse.",
)
@click.option(
    "--was",
    default="",
    metavar="FOLDER",
    help="The project's folder in the script's paths, if it was another.",
)
@click.option("--try/--no-try", "trial", default=True, help="Try the first and the last index (default).")
@click.option("--try-seconds", default=300.0, show_default=True, help="How long a tried task may run.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=None,
    help="The study file (default: study.yaml).",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@json_option
def adopt_command(
    script: Path,
    arguments: tuple[str, ...],
    array: str,
    variables: tuple[str, ...],
    form: str,
    result: str,
    results: str,
    combine: Path | None,
    was: str,
    trial: bool,
    try_seconds: float,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Write a study that does the work of a job script, such as an array of sbatch or qsub.

    Type it in the folder where the job is submitted. Put options before SCRIPT; ARGUMENTS after it are passed to it.
    """
    options = AdoptOptions(
        arguments=arguments, array=array, variables=_variables(variables), form=form, was=was, result=result,
        results=results, combine=combine,
        output=output, force=force, trial=trial, seconds=try_seconds,
    )  # fmt: skip
    adopted = adopt(script, options, Path.cwd(), _ask)
    if as_json:
        print_json(adopted.report)
        return 1 if adopted.failed else 0
    _show(adopted)
    name = shlex.quote(adopted.path.name)
    say(
        f"correct this, then: packhorse try {name}"
        if adopted.failed
        else f"next: packhorse plan {name}, then packhorse run {name}"
    )
    return 1 if adopted.failed else 0


def _variables(given: Sequence[str]) -> dict[str, str]:
    for one in given:
        if not re.match(r"[A-Za-z_]\w*=", one):
            raise UsageError(f"--variable {one!r} is not NAME=VALUE", "--variable index=3")
    return {name: value for name, _, value in (one.partition("=") for one in given)}


def _show(adopted: Adopted) -> None:
    """Show what was written, and what was found out."""
    space = ParameterSpace.of(adopted.source.study)
    names = ", ".join(space.names)
    say(f"wrote {adopted.path.name}: {tasks(space.size)}" + (f" with {names}" if names else ""))
    for sentence in adopted.sentences:
        note(f"note: {sentence}")
    if adopted.imported:
        say(f"taken in: {adopted.imported.taken:,} of {tasks(adopted.imported.tasks)}")
        for sentence in adopted.imported.notes:
            note(f"note: {sentence}")
    if adopted.combined:
        (say if adopted.combined[1] else note)(adopted.combined[0])
    if adopted.failure:
        note(f"the study was tried, and failed here: {adopted.failure}")
        for hint in adopted.trial.hints if adopted.trial else ():
            note(f"  {hint}")
    elif adopted.trial:
        result = adopted.source.study.result
        found = result.file or ("the last line printed" if adopted.trial.prints_json else "none")
        say(f"tried {' and '.join(adopted.trial.tasks)}: result {found}")


def _ask(question: str, choices: Sequence[str]) -> str:
    """Ask on the terminal; return an empty text where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return ""
    kind = click.Choice(list(choices)) if choices else None
    return str(
        click.prompt(question, type=kind, default="" if not choices else None, err=True, show_default=False)
    )
