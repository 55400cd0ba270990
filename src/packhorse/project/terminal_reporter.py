"""Reporters for a terminal: messages and progress on standard error."""

from __future__ import annotations

import sys
import time
from typing import Any

from packhorse.project.reporter import Progress, Reporter
from packhorse.text.amounts import counted, elapsed

LINE_SECONDS = 10.0  # between lines of progress where standard error is not a terminal


def note(text: str) -> None:
    """Print to standard error."""
    print(text, file=sys.stderr)


class TerminalReporter(Reporter):
    """Shows a run to a person: a progress bar on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.printed_at = time.monotonic()
        self.printed = -1  # finished tasks in the last line

    def say(self, text: str) -> None:
        """Print a message above the bar."""
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False)
        else:
            note(text)

    def warn(self, text: str) -> None:
        """Print a message that the user should act on."""
        TerminalReporter.say(self, f"note: {text}")

    def output(self, data: bytes, *, error: bool) -> None:
        """Pass on what a script prints."""
        stream = sys.stderr.buffer if error else sys.stdout.buffer
        stream.write(data)
        stream.flush()

    def progress(self, progress: Progress) -> None:
        """Show how many tasks are finished."""
        if progress.total <= 1:
            return
        finished = progress.done + progress.failed
        if sys.stderr.isatty():
            self._show_bar(progress)
        elif time.monotonic() - self.printed_at >= LINE_SECONDS and finished != self.printed:
            self.printed_at, self.printed = time.monotonic(), finished
            note(progress_line(progress))

    def _show_bar(self, progress: Progress) -> None:
        # rich is imported only where there is a terminal: it costs a tenth of a second.
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        if self.bar is None:
            columns = (BarColumn(bar_width=30), TextColumn("{task.description}", markup=False))
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
            self.bar.start()
            self.task = self.bar.add_task("", total=progress.total)
        finished = progress.done + progress.failed
        self.bar.update(self.task, completed=finished, description=progress_line(progress), refresh=True)

    def finished(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


class QuietReporter(TerminalReporter):
    """Shows only what the user should act on, for `--json`."""

    def say(self, text: str) -> None:
        """Print nothing."""

    def progress(self, progress: Progress) -> None:
        """Print nothing."""

    def output(self, data: bytes, *, error: bool) -> None:  # noqa: ARG002
        """Pass on to standard error, since standard output is for the JSON object."""
        super().output(data, error=True)


def progress_line(progress: Progress) -> str:
    """Return progress as one line."""
    finished = progress.done + progress.failed
    line = f"{finished:,} of {counted(progress.total, 'task')}"
    if progress.rate:
        line += f", {progress.rate:,.1f}/s" if progress.rate < 100 else f", {progress.rate:,.0f}/s"
    if progress.left is not None and finished < progress.total:
        line += f", {elapsed(progress.left)} left"
    if progress.failed:
        line += f", {progress.failed:,} failed"
    return line
