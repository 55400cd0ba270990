"""Commands about the login to a site: connect, ssh-config, shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.app.sharing import check_sharing
from packhorse.cli.output import as_object, json_option, note, say

if TYPE_CHECKING:
    from packhorse.app.connecting import Connection


@click.command(name="connect")
@click.argument("site")
@click.option("--check", "only_check", is_flag=True, help="Say how the connection stands, and open none.")
@click.option("--close", "only_close", is_flag=True, help="Close it.")
@click.option("--keep", is_flag=True, help="Let `run` look on for longer than the site lets a login be idle.")
@json_option
def connect_command(site: str, only_check: bool, only_close: bool, keep: bool, as_json: bool) -> None:
    """Log in to a site, once: everything else rides on this connection.

    ssh asks in this terminal for what the site wants: a password, a code, a push. Packhorse does not
    see the answers, keeps nothing, and never logs in by itself.
    """
    check_sharing(sys.platform)
    from packhorse.app.connecting import check, closing, connect, disconnect, keep_in_use, trouble

    folder = Path.cwd()
    if only_close:
        found, was_there = disconnect(site, folder)
        if as_json:
            as_object({"site": found.name, "closed": was_there})
        else:
            say(f"closed the connection to {found.name}" if was_there else f"not connected to {found.name}")
        return
    if not only_check:
        keep_in_use(site, folder, keep=keep)
    connection, before = (check(site, folder), True) if only_check else connect(site, folder, note)
    if as_json:
        as_object(_about(connection))
    elif connection.look.state in ("open", "busy"):
        say(f"{'connected' if not before else 'you are connected'} to {_where(connection)}")
        say(f"  {closing(connection)}; packhorse connect {connection.site.name} --close closes it now")
        if connection.look.noise:
            line = connection.look.noise.splitlines()[0]
            note(
                f"note: files of your login there print text in plain commands ({line}), which breaks scp and sftp"
            )
    lame = trouble(connection)
    if lame is not None:
        raise lame


@click.command(name="ssh-config")
@click.argument("site")
def ssh_config_command(site: str) -> None:
    """Print the lines of ~/.ssh/config by which other programs ride on the connection.

    ssh, scp, rsync, git, and VS Code Remote-SSH then know the host ph-SITE. It never logs in by itself.
    """
    check_sharing(sys.platform)
    from packhorse.app.connecting import settings_for

    found, lines = settings_for(site, Path.cwd())
    say(lines)
    note(f"put this above every `Host *` of ~/.ssh/config; then: ssh ph-{found.name}")


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
    from packhorse.app import shelling

    folder = Path.cwd()
    if to_attach:
        found, status = shelling.attach(site, folder)
    elif job or any(wishes.values()):
        wanted = shelling.prepare(site, folder, shelling.Wish(**wishes))
        note(wanted.line)
        found, status = wanted.site, shelling.enter(wanted)
    else:
        ctx.exit(shelling.shell(site, folder))
    if status == shelling.DETACHED:
        note(f"the job goes on; packhorse shell {found.name} --attach returns to it")
        status = 0
    ctx.exit(status)


def _where(connection: Connection) -> str:
    look, name = connection.look, connection.site.name
    if look.state == "busy":
        return f"{name}; all its sessions are in use just now"
    return f"{name} as {look.user} on {look.host}"


def _about(connection: Connection) -> dict[str, Any]:
    look = connection.look
    return {
        "site": connection.site.name,
        "login": connection.login.destination,
        "state": look.state,
        "user": look.user,
        "host": look.host,
        "closes_after": connection.idle,
    }
