"""packhorse script."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from packhorse.app.jobs.script import Script, ScriptOutput, make_script
from packhorse.cli.jobs.script_questions import ask_script
from packhorse.cli.output import json_option, note, print_json, say
from packhorse.model.form import Form

count = click.IntRange(min=1)


def _text(*names: str, metavar: str, help: str) -> Any:  # noqa: A002 - the word of click.option
    return click.option(*names, metavar=metavar, default="", help=help)


def _texts(*names: str, metavar: str, help: str) -> Any:  # noqa: A002 - the word of click.option
    return click.option(*names, metavar=metavar, multiple=True, help=f"{help}; may be repeated.")


OPTIONS = (
    _text("--site", metavar="NAME", help="The site (packhorse sites lists them)."),
    _text("--scheduler", metavar="NAME", help="slurm, torque or openpbs, instead of --site: limits are not checked."),
    _text("--partition", "--queue", metavar="NAME", help="The partition or queue (default: one that fits)."),
    _text("--kind", metavar="NAME", help="The kind of nodes, where a partition has several."),
    _text("--time", metavar="TIME", help="The time limit: '90 min', '2 h', 1-12:00:00."),
    click.option("--nodes", type=count, default=1, help="Nodes (default: 1)."),
    click.option("--tasks", type=count, help="Total processes that srun or mpirun starts (default: one per node)."),
    click.option("--cores",
    "--cpus", type=count, help="Cores on each node (default: one per process)."),
    _text("--memory", metavar="SIZE", help="Memory on each node: '4 GB' (default, and 0: the site's)."),
    _text("--memory-per-core", metavar="SIZE", help="Memory for each core, instead of --memory."),
    click.option("--gpus", type=click.IntRange(min=0), default=0, help="GPUs on each node."),
    _text("--name", metavar="TITLE", help="The job's name (default: its script's or program's)."),
    _text("--array", metavar="RANGE", help="A job array: 1-100, 0-90:10, 1-100%8 (8 at a time)."),
    _texts("--after", metavar="WHEN:JOB", help="Start after a job: ok:JOB, fail:JOB, end:JOB, start:JOB, each:JOB"),
    _text("--log", metavar="FILE", help="File for output and errors; may contain {job}, {element}, {name}."),
    _text("--error-log", metavar="FILE", help="File for errors alone."),
    _text("--mail", metavar="ADDRESS", help="Address for scheduler email."),
    _text("--mail-when", metavar="WORDS", help="Events: begin, end, fail (default: end,fail)."),
    _text("--account", metavar="NAME", help="The account to charge."),
    _text("--qos", metavar="NAME", help="The quality of service."),
    _texts("--module", "modules", metavar="NAME", help="A module to load"),
    _text("--environment", metavar="KIND:NAME", help="conda:NAME, venv:FOLDER, or uv:FOLDER of the project."),
    _texts("--setup", metavar="LINE", help="A shell line before the command"),
    _texts("--then", metavar="LINE", help="A shell line after the command"),
    _texts("--option", "options", metavar="WORDS", help="An option as the scheduler itself spells it"),
)  # fmt: skip


def script_options(command: Any) -> Any:
    """Add the options of a job."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


class ScriptCommand(click.Command):
    """A command that gives a hint where an option of the user's program was taken for its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            near = f" Did you mean {error.possibilities[0]}?" if error.possibilities else ""
            hint = "If it belongs to your program, quote the command, or write -- before it."
            ctx.fail(f"No such option: {error.option_name}.{near} {hint}")


@click.command(name="script", cls=ScriptCommand)
@click.argument("command", nargs=-1)
@script_options
@click.option("--interactive", "-i", is_flag=True, help="Ask for each part; options are the first answers.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="Write it to this file instead of standard output.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
def script_command(
    command: tuple[str, ...], then: tuple[str, ...], interactive: bool, output: Path | None, force: bool,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Make a job script for a site, checked against the site's limits.

    \b
    packhorse script 'python fit.py --n 100' --site NAME --time '2 h' --memory '4 GB' > fit.sh
    packhorse script --site NAME --cores 8 -- Rscript fit.R --n 100
    packhorse script --interactive

    COMMAND is a shell line in quotes, or words after --. Notes go to standard error. Nothing is submitted.
    """
    form = Form(command=_lines(command, then), file=str(output or ""), **options)
    if interactive:
        form, script = ask_script(form, Path.cwd(), force=force)
        output = Path(form.file) if form.file else None
    else:
        script = make_script(form, Path.cwd())
    _write(script, output, force, as_json)


def _lines(command: tuple[str, ...], then: tuple[str, ...]) -> str:
    """Return the lines of a job: one argument is a line as it is, several are the words of a line."""
    first = command[0] if len(command) == 1 else shlex.join(command)
    return "\n".join([first, *then])


def _write(script: Script, output: Path | None, force: bool, as_json: bool) -> None:
    for row in script.notes:
        note(f"note: {row}")
    if output is not None:
        script.save(output, force=force)
    if as_json:
        print_json(
            ScriptOutput(
                script=script.text,
                site=script.site.name,
                request=script.request,
                notes=script.notes,
                file=str(output) if output else None,
            )
        )
    elif output is not None:
        say(f"wrote {output}")
    else:
        sys.stdout.write(script.text)
