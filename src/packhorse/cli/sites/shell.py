"""packhorse shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from packhorse.cli.output import note
from packhorse.remote.sharing import check_sharing


@click.command(name="shell")
@click.argument("site")
@click.option("--job", is_flag=True, help="Inside a job; also where any of the following is given.")
@click.option("--cores", type=click.IntRange(min=1), help="Cores of the job (default: 1).")
@click.option("--memory", metavar="SIZE", help="Memory of the job, such as '8 GB'.")
@click.option("--gpus", type=click.IntRange(min=0), default=0, help="GPUs of the job.")
@click.option("--time", metavar="TIME", help="How long it lasts at most, such as '2 h' (default: 1 h).")
@click.option("--partition", metavar="NAME", help="The site's partition (default: one that fits).")
@click.option("--account", metavar="NAME", help="The account that is charged.")
@click.option("--qos", metavar="NAME", help="The quality of service.")
@click.option("--attach", "to_attach", is_flag=True, help="Return to the job that was left, or cut off.")
@click.pass_context
def shell_command(ctx: click.Context, /, site: str, job: bool, to_attach: bool, **wishes: Any) -> None:
    """Open a shell on a site's login node, or inside a job.

    A job's shell runs in tmux or screen on the login node where one is there: a cut line ends nothing,
    Ctrl-B D (screen: Ctrl-A D) leaves it running, and --attach returns to it.
    """
    check_sharing(sys.platform)
    from packhorse.app.sites import shell

    folder = Path.cwd()
    if to_attach:
        found, status = shell.attach(site, folder)
    elif job or any(wishes.values()):
        wanted = shell.prepare(site, folder, shell.ShellOptions(**wishes))
        note(wanted.line)
        found, status = wanted.site, shell.enter(wanted)
    else:
        ctx.exit(shell.shell(site, folder))
    if status == shell.DETACHED:
        note(f"the job goes on; packhorse shell {found.name} --attach returns to it")
        status = 0
    ctx.exit(status)
