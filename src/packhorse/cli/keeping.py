"""Commands that keep house: du, rm, doctor, completion."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import as_object, json_option, number, run_argument, say, size
from packhorse.model.errors import RunError


@click.command(name="du")
@run_argument
@json_option
def du_command(run: str | None, as_json: bool) -> None:
    """Say how much space runs take."""
    from packhorse.app.keeping import sizes

    found = sizes(Path.cwd(), run)
    if as_json:
        as_object({"runs": found})
        return
    if not found:
        say("no run here yet")
    for one in found:
        say(f"{size(one['bytes'])} in {number(one['files'])} files  {one['run']}")
        for name, many in sorted(one["parts"].items(), key=lambda part: -part[1])[:6]:
            say(f"  {size(many)}  {name}")


@click.command(name="rm")
@click.argument("run")
@click.option("--yes", is_flag=True, help="Remove it without asking.")
@click.option(
    "--here", is_flag=True, help="Only what is on this machine; what the run has on its site stays."
)
def rm_command(run: str, yes: bool, here: bool) -> None:
    """Remove a run: its table, journals, logs and artifacts, here and on the site where it ran.

    Environments and data on the site stay, as other runs use them.
    """
    from packhorse.app.keeping import remove

    say(remove(Path.cwd(), run, sure=yes, here=here))


@click.command(name="doctor")
@json_option
def doctor_command(as_json: bool) -> None:
    """Check this machine and the runs here."""
    from packhorse.app.keeping import doctor

    rows = doctor(Path.cwd())
    if as_json:
        as_object({"checks": rows})
    else:
        for row in rows:
            say(f"{'well' if row['well'] else 'BAD '}  {row['what']}: {row['found']}")
            if row["cure"]:
                say(f"      {row['cure']}")
    if not all(row["well"] for row in rows):
        raise RunError("something is not well")


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the lines that complete commands; for bash: eval "$(packhorse completion bash)"."""
    from click.shell_completion import get_completion_class

    from packhorse.cli.commands import packhorse

    kind = get_completion_class(shell)
    assert kind is not None
    say(kind(packhorse, {}, "packhorse", "_PACKHORSE_COMPLETE").source())
