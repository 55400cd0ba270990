"""packhorse run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from packhorse.app.runs.run import with_request
from packhorse.app.runs.single import run_script
from packhorse.cli.runs.run_options import commit_first, given_requests, run_and_report, run_options
from packhorse.cli.site_options import given_site_options, site_key
from packhorse.execution.run_context import source_of
from packhorse.execution.run_model import RunOptions
from packhorse.model.errors import UsageError
from packhorse.preflight.command_files import named_script
from packhorse.project.sites import known_sites
from packhorse.project.source import Source, from_file
from packhorse.project.terminal_reporter import note
from packhorse.rundir.directory import RunDirectory

STUDIES = (".yaml", ".yml")
SHELL = (".sh", ".bash")


class RunCommand(click.Command):
    """`run STUDY` takes options anywhere; `run SCRIPT` passes everything after the script on to it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Allow options after the target only where the target is a study."""
        ctx.allow_interspersed_args = any(word.endswith(STUDIES) or Path(word).is_dir() for word in args)
        ctx.ignore_unknown_options = False
        return super().parse_args(ctx, args)


@click.command(cls=RunCommand, name="run")
@click.argument("target", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--fresh", is_flag=True, help="Run all tasks again.")
@click.option("--keep", is_flag=True, help="Keep finished tasks although code, environment or data changed.")
@click.option("--old-code", is_flag=True, help="Run what is missing with the code of the finished tasks.")
@click.option(
    "--failed",
    type=click.Choice(["run", "keep"]),
    default="run",
    help="Failed tasks whose code, environment or data has changed: run them again (default), or keep them as they are.",
)
@click.option(
    "--trust-pickle", is_flag=True, help="Read pickles as results; they run code when they are read."
)
@click.option("--unchecked", is_flag=True, help="Leave the study's checks out; the provenance says so.")
@click.option(
    "--no-warm", "warm", flag_value=False, default=True, help="Start a new interpreter for every task."
)
@run_options
def run_command(
    target: str | None, arguments: tuple[str, ...], as_json: bool, commit: str | None, **options: Any
) -> None:
    """Run a study, or a script once.

    \b
    packhorse run study.yaml               run what is missing, merge the table
    packhorse run sim.py --n 100           run the script once from a snapshot of its project
    packhorse run study.yaml --site NAME   submit it to a site, follow it, collect its results

    The same command continues an interrupted run, and follows one that is under way.
    """
    if target is None:
        if not Path("study.yaml").exists():
            raise UsageError(
                "there is no study.yaml in this folder",
                "packhorse init SCRIPT writes one; packhorse run SCRIPT runs a script once",
            )
        target = "study.yaml"
    directory, jobs, detach = options.pop("directory"), options.pop("jobs"), options.pop("detach")
    place, request = given_site_options(options), given_requests(options)
    if target.endswith(STUDIES) or Path(target).is_dir():
        if arguments:
            raise UsageError(f"{' '.join(arguments)}: a study takes no arguments", "packhorse run --help")
        source, directory = _study(Path(target), directory, site_key(place))
        chosen = RunOptions(run=directory, jobs=jobs, **options)
    else:
        arguments, late = _with_site(arguments)
        if late and not as_json:
            note(f"--site {late['site']} is for Packhorse; an option of the script: {target} -- --site ...")
        place |= late
        source, chosen = run_script(target, arguments, directory, Path.cwd())
    source = with_request(source, **request)
    commit_first(source, commit)
    if not as_json:
        _note_program(source, place)
    run_and_report(source, chosen, place, as_json=as_json, detach=detach)


def _note_program(source: Source, place: dict[str, Any]) -> None:
    """Print what is wrong in the program: a shell script, which runs on after most mistakes, or one that travels."""
    program = named_script(source.study.command)
    if program.endswith(SHELL) or (program and place.get("site") not in {None, "local"}):
        # Start-up: a Python or R program on this machine shows its mistakes at once.
        from packhorse.app.jobs.lint import program_notes

        for sentence in program_notes(program, source.start, hints=False):
            note(sentence)


def _with_site(arguments: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the arguments of a script without `--site NAME`, and that option, where NAME is a site.

    After `--` all are the script's.
    """
    if arguments[:1] == ("--",):
        return arguments[1:], {}
    text = "\0".join(arguments)
    found = re.search(r"(?:^|\0)--site[=\0]([^\0]+)", text)
    if found is None or found[1] not in {one.name for one in known_sites(Path.cwd())}:
        return arguments, {}
    rest = (text[: found.start()] + text[found.end() :]).strip("\0")
    return tuple(rest.split("\0")) if rest else (), {"site": found[1]}


def _study(target: Path, directory: Path | None, site: str | None) -> tuple[Source, Path | None]:
    """Return a study and its run directory; `target` is a study file, or a run directory with its study."""
    if RunDirectory(target).exists:
        return source_of(RunDirectory(target.resolve()), site), directory or target.resolve()
    return from_file(target, site), directory
