"""packhorse translate."""

from __future__ import annotations

import stat
from pathlib import Path

import click
from msgspec.structs import replace

from packhorse.app.jobs.translate import NAMES, TranslatedScript, TranslateOptions, diff, translate_script
from packhorse.cli.output import json_option, note, print_json
from packhorse.jobscript.lines import encode
from packhorse.model.errors import UsageError
from packhorse.rundir.files import write_file
from packhorse.text.amounts import counted
from packhorse.translate.request import TITLES, Cores

_WORDS = {"lost": "not translated", "assumed": "assumed", "changed": "changed", "site": "site"}


@click.command(name="translate")
@click.argument("script", type=click.Path(path_type=Path), metavar="JOB.sh")
@click.option("--to", type=click.Choice(list(NAMES)), help="The scheduler (default: that of --site).")
@click.option(
    "--site", default="", metavar="NAME", help="Use the partitions and modules of this site, and its limits."
)
@click.option("--account", default="", metavar="NAME", help="Your account at the site.")
@click.option(
    "--ppn",
    "cores",
    type=click.Choice(["ranks", "threads"]),
    help="What the cores of nodes=N:ppn=M are for: a process each, or threads of one.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the script to a file."
)
@click.option("--diff", "as_diff", is_flag=True, help="Print what changes.")
@json_option
def translate_command(
    script: Path,
    to: str | None,
    site: str,
    account: str,
    cores: Cores | None,
    output: Path | None,
    as_diff: bool,
    as_json: bool,
) -> None:
    """Rewrite a job script for another scheduler: Slurm, TORQUE, PBS Pro.

    \b
    packhorse translate job.sh --to slurm
    packhorse translate job.pbs --site quartz -o job.slurm

    Directives, variables, arrays, mail, dependencies, the start folder, and commands such as srun and qsub are
    translated; comments and layout stay. What has no equivalent stays as a comment and is listed with its line.
    """
    options = TranslateOptions(to=to or "", site=site, account=account, cores=cores or "")
    done = translate_script(script, options, Path.cwd())
    if output is not None:
        _write(script, output, done.script)
        done = replace(done, output=str(output))
    if as_json:
        print_json(done)
        return
    if as_diff:
        click.echo(diff(script, done.script), nl=False)
    elif output is None:
        click.echo(encode(done.script), nl=False)
    _tell(script, done)


def _write(script: Path, output: Path, text: str) -> None:
    if output.exists():
        raise UsageError(f"{output} exists already", "choose another file for -o, or remove it")
    if not output.parent.is_dir():
        raise UsageError(f"no folder {output.parent}", f"mkdir -p {output.parent}")
    write_file(output, encode(text), stat.S_IMODE(script.stat().st_mode))


def _tell(script: Path, done: TranslatedScript) -> None:
    for one in done.notes:
        note(f"{script}:{one.line}: {_WORDS[one.kind]}: {one.text}")
    lost = f"; {counted(done.lost, 'request')} not translated" if done.lost else ""
    place = f" to {done.output}" if done.output else ""
    note(f"translated from {TITLES[done.source]} to {TITLES[done.to]}{place}{lost}")
