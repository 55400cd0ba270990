"""packhorse script."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.cli.output import as_object, json_option, note, say
from packhorse.model.form import Form

if TYPE_CHECKING:
    from packhorse.app.jobs.script import Script

count = click.IntRange(min=1)


def _text(*names: str, metavar: str, help: str) -> Any:  # noqa: A002 - the word of click.option
    return click.option(*names, metavar=metavar, default="", help=help)


def _texts(*names: str, metavar: str, help: str) -> Any:  # noqa: A002 - the word of click.option
    return click.option(*names, metavar=metavar, multiple=True, help=f"{help}; may be repeated.")


OPTIONS = (
    _text("--site", metavar="NAME", help="Where it shall run (packhorse sites lists them)."),
    _text("--scheduler", metavar="NAME", help="slurm, torque or openpbs, where no site is described: nothing is checked."),
    _text("--partition", "--queue", metavar="NAME", help="The partition or queue (default: one that fits)."),
    _text("--kind", metavar="NAME", help="The kind of nodes, where a partition has several."),
    _text("--time", metavar="TIME", help="The longest that it may run: '90 min', '2 h', 1-12:00:00."),
    click.option("--nodes", type=count, default=1, help="Nodes (default: 1)."),
    click.option("--tasks", type=count, help="Processes in all that srun or mpirun starts (default: one a node)."),
    click.option("--cores", type=count, help="Cores on each node (default: one a process)."),
    _text("--memory", metavar="SIZE", help="Memory on each node: '4 GB' (default, and 0: the site's)."),
    _text("--memory-per-core", metavar="SIZE", help="Memory for each core, in place of --memory."),
    click.option("--gpus", type=click.IntRange(min=0), default=0, help="GPUs on each node."),
    _text("--name", metavar="TITLE", help="The job's title (default: what it runs)."),
    _text("--array", metavar="RANGE", help="Many jobs with a number each: 1-100, 0-90:10, 1-100%8 (8 at a time)."),
    _texts("--after", metavar="WHEN:JOB", help="Wait for a job: ok:JOB, fail:JOB, end:JOB, start:JOB, each:JOB"),
    _text("--log", metavar="FILE", help="For output and errors; {job}, {element}, {name} are filled in."),
    _text("--error-log", metavar="FILE", help="For errors alone."),
    _text("--mail", metavar="ADDRESS", help="Whom the scheduler shall write to."),
    _text("--mail-when", metavar="WORDS", help="When: begin, end, fail (default: end,fail)."),
    _text("--account", metavar="NAME", help="The account that is charged."),
    _text("--qos", metavar="NAME", help="The quality of service."),
    _texts("--module", "modules", metavar="NAME", help="A module to load"),
    _text("--environment", metavar="KIND:NAME", help="conda:NAME, venv:FOLDER, or uv:FOLDER of the project."),
    _texts("--setup", metavar="LINE", help="A line of the shell before the command"),
    _texts("--then", metavar="LINE", help="A line of the shell after the command"),
    _texts("--option", "options", metavar="WORDS", help="An option in the scheduler's own words"),
)  # fmt: skip


def script_options(command: Any) -> Any:
    """Add what may be asked of a job."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


class ScriptCommand(click.Command):
    """A command that tells what to type where an option of the program is taken for its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            near = f" Did you mean {error.possibilities[0]}?" if error.possibilities else ""
            own = "If it is your program's, put the command in quotes, or -- before it."
            ctx.fail(f"No such option: {error.option_name}.{near} {own}")


@click.command(name="script", cls=ScriptCommand)
@click.argument("command", nargs=-1)
@script_options
@click.option(
    "--interactive", "-i", is_flag=True, help="Ask question by question; options are the first answers."
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Write it to this file, and not to the screen."
)
@click.option("--force", is_flag=True, help="Replace the file.")
@json_option
def script_command(
    command: tuple[str, ...], then: tuple[str, ...], interactive: bool, output: Path | None, force: bool,
    as_json: bool, **words: Any,
) -> None:  # fmt: skip
    """Make a job script for a site, checked against what the site allows.

    \b
    packhorse script 'python fit.py --n 100' --site NAME --time '2 h' --memory '4 GB' > fit.sh
    packhorse script --site NAME --cores 8 -- Rscript fit.R --n 100
    packhorse script --interactive

    COMMAND is a line of the shell, in quotes, or words behind --. What is worth knowing is said on standard error;
    nothing is sent.
    """
    from packhorse.app.jobs.script import make_script

    form = Form(command=_lines(command, then), file=str(output or ""), **words)
    if interactive:
        from packhorse.cli.jobs.script_questions import ask_script

        form, script = ask_script(form, Path.cwd(), force=force)
        output = Path(form.file) if form.file else None
    else:
        script = make_script(form, Path.cwd())
    _give(script, output, force, as_json)


def _lines(command: tuple[str, ...], then: tuple[str, ...]) -> str:
    """Return the lines of a job: one word is a line as it is, several are the words of one."""
    import shlex

    first = command[0] if len(command) == 1 else shlex.join(command)
    return "\n".join([first, *then])


def _give(script: Script, output: Path | None, force: bool, as_json: bool) -> None:
    for row in script.notes:
        note(f"note: {row}")
    if output is not None:
        script.save(output, force=force)
    if as_json:
        import msgspec

        request = msgspec.to_builtins(script.request)
        said = {
            "script": script.text,
            "site": script.site.name,
            "request": request,
            "notes": list(script.notes),
        }
        as_object({**said, "file": str(output) if output else None})
    elif output is not None:
        say(f"wrote {output}")
    else:
        sys.stdout.write(script.text)
