"""The command line: parse the arguments, call the use case, print the result."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line and exit with a documented code."""
    stop_as_ctrl_c()
    from packhorse.cli.commands import packhorse
    from packhorse.cli.errors import guarded

    sys.exit(guarded(packhorse))


def stop_as_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP stop every command as Ctrl-C does, so that it ends what it has started."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup(1)
            signal.signal(number, stop)
