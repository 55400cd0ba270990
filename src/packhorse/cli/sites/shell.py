"""packhorse shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from packhorse.app.sites import shell
from packhorse.cli.output import note
from packhorse.cli.windows_check import refuse_windows
from packhorse.project.sites import site_here


@click.command(name="shell")
@click.argument("site", required=False)
@click.option("--job", is_flag=True, help="Inside a job; implied by the following options.")
@click.option("--cores", "--cpus", type=click.IntRange(min=1), help="Cores of the job (default: 1).")
@click.option("--memory", metavar="SIZE", help="Memory of the job, such as '8 GB'.")
@click.option("--gpus", type=click.IntRange(min=0), default=0, help="GPUs of the job.")
@click.option("--time", metavar="TIME", help="Time limit of the job, such as '2 h' (default: 1 h).")
@click.option("--partition", metavar="NAME", help="The site's partition (default: one that fits).")
@click.option("--account", metavar="NAME", help="The account to charge.")
@click.option("--qos", metavar="NAME", help="The quality of service.")
@click.option(
    "--attach", "to_attach", is_flag=True, help="Reattach to a job that was detached or disconnected."
)
@click.pass_context
def shell_command(
    ctx: click.Context, /, site: str | None, job: bool, to_attach: bool, **options: Any
) -> None:
    """Open a shell on a site's login node, or inside a job; on a login node, of that site.

    A job's shell runs in tmux or screen on the login node, where one is installed: it survives a lost connection,
    Ctrl-B D (screen: Ctrl-A D) detaches from it, and --attach returns to it.
    """
    refuse_windows()
    folder = Path.cwd()
    site = site or site_here(folder, "SITE")
    if to_attach:
        found, status = shell.attach(site, folder)
    elif job or any(options.values()):
        prepared = shell.prepare(site, folder, shell.ShellOptions(**options))
        note(prepared.line)
        found, status = prepared.site, shell.enter(prepared)
    else:
        ctx.exit(shell.shell(site, folder))
    if status == shell.DETACHED:
        note(f"the job still runs; packhorse shell {found.name} --attach returns to it")
        status = 0
    ctx.exit(status)
