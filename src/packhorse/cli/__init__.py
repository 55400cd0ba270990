"""The command line: words in, use cases called, sentences out."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with a documented exit code."""
    from packhorse.cli.commands import packhorse
    from packhorse.cli.errors import guarded

    sys.exit(guarded(packhorse))
