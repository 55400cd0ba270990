"""A group of commands, each of which is imported only when it is called, so that `packhorse` starts quickly."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

import click

from packhorse.cli.windows_check import refuse_windows

COMPLETING = "_PACKHORSE_COMPLETE"  # set by the shell's completion, as click names it


class LazyGroup(click.Group):
    """A group whose commands are imported from `packhorse.cli.MODULE`, where they are called NAME_command."""

    def __init__(self, *arguments: Any, table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table = table  # name: (module, one line of help)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.table:
            return None
        try:
            module = importlib.import_module(f"packhorse.cli.{self.table[cmd_name][0]}")
        except ModuleNotFoundError:
            refuse_windows()  # it has no fcntl and no pwd, which connections need
            raise
        command = getattr(module, cmd_name.replace("-", "_") + "_command")
        assert isinstance(command, click.Command)
        if COMPLETING in os.environ:
            from packhorse.cli.complete_values import with_values  # start-up

            return with_values(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command; give a hint for an unknown word."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            hint = self.hint(args[0])
            ctx.fail(f"No such command {args[0]!r}.{' ' if hint else ''}{hint}")
        return super().resolve_command(ctx, args)

    def hint(self, word: str) -> str:
        """Return what to type instead of an unknown word; empty where that is not known."""
        return ""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self.table.items()])
