"""packhorse ssh-config."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from packhorse.cli.output import note, say
from packhorse.remote.connection import ssh_config_lines
from packhorse.remote.sharing import check_sharing


@click.command(name="ssh-config")
@click.argument("site")
def ssh_config_command(site: str) -> None:
    """Print the lines of ~/.ssh/config with which other programs share the connection.

    ssh, scp, rsync, git, and VS Code Remote-SSH then know the host ph-SITE, which never logs in by itself.
    """
    check_sharing(sys.platform)
    found, lines = ssh_config_lines(site, Path.cwd())
    say(lines)
    note(f"insert this above every `Host *` of ~/.ssh/config; then: ssh ph-{found.name}")
