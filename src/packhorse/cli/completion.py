"""packhorse completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from packhorse.cli.output import say


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print shell completion; for bash: eval "$(packhorse completion bash)"."""
    from packhorse.cli.commands import packhorse  # which imports this module

    completion = get_completion_class(shell)
    assert completion is not None
    say(completion(packhorse, {}, "packhorse", "_PACKHORSE_COMPLETE").source())
