"""packhorse completion."""

from __future__ import annotations

import click

from packhorse.cli.output import say


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the lines that complete commands; for bash: eval "$(packhorse completion bash)"."""
    from click.shell_completion import get_completion_class

    from packhorse.cli.commands import packhorse

    kind = get_completion_class(shell)
    assert kind is not None
    say(kind(packhorse, {}, "packhorse", "_PACKHORSE_COMPLETE").source())
