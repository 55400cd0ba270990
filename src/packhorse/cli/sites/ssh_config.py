"""packhorse ssh-config."""

from __future__ import annotations

from pathlib import Path

import click

from packhorse.cli.output import note, say
from packhorse.cli.windows_check import refuse_windows
from packhorse.remote.connection import ssh_config_lines


@click.command(name="ssh-config")
@click.argument("site")
def ssh_config_command(site: str) -> None:
    """Print the lines of ~/.ssh/config with which other programs share the connection.

    ssh, scp, rsync, git, and VS Code Remote-SSH then know the host ph-SITE, which never logs in by itself.
    """
    refuse_windows()
    found, lines = ssh_config_lines(site, Path.cwd())
    say(lines)
    note(f"insert this above every `Host *` of ~/.ssh/config; then: ssh ph-{found.name}")
