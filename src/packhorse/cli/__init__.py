"""The command line: parse the arguments, call the use case, print the result."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with a documented code."""
    from packhorse.cli.commands import packhorse
    from packhorse.cli.errors import guarded

    sys.exit(guarded(packhorse))
