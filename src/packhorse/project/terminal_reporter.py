"""Reporters for a terminal and a notebook: messages and progress on standard error, or below the cell."""

from __future__ import annotations

import sys
import time
from typing import Any

from packhorse.project.reporter import Progress, Reporter
from packhorse.text.amounts import counted, elapsed

LINE_SECONDS = 10.0  # between lines of progress where standard error is not a terminal
NOTEBOOK_SECONDS = 0.2  # between two bars, which the browser of a notebook draws


def note(text: str) -> None:
    """Print to standard error."""
    print(text, file=sys.stderr)


class TerminalReporter(Reporter):
    """Shows a run to a person: a progress bar on a terminal and in a notebook, plain lines elsewhere."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.shown: Any = None  # the bar in a notebook: what IPython gave to change it
        self.printed_at = time.monotonic()
        self.printed = -1  # finished tasks in the last line

    def say(self, text: str) -> None:
        """Print a message above the bar."""
        if self.bar is not None and self.shown is None:
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
        if sys.stderr.isatty() or notebook_shell() is not None:
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
            self.task = self.bar.add_task("", total=progress.total)
            if notebook_shell() is None:
                self.bar.start()
        finished = progress.done + progress.failed
        self.bar.update(self.task, completed=finished, description=progress_line(progress))
        if self.bar.live.is_started:
            self.bar.refresh()
        elif self.shown is None:
            # rich's own display in a notebook needs ipywidgets; the bar as HTML, which IPython replaces, does not.
            self.shown = sys.modules["IPython"].display.display(self.bar, display_id=True)
            self.printed_at = time.monotonic()
        elif time.monotonic() - self.printed_at >= NOTEBOOK_SECONDS or finished == progress.total:
            self.printed_at = time.monotonic()
            self.shown.update(self.bar)

    def finished(self) -> None:
        """Remove the bar; in a notebook it stays."""
        if self.bar is not None and self.bar.live.is_started:
            self.bar.stop()
        self.bar = self.shown = None


def notebook_shell() -> Any:
    """Return the shell of the kernel that this process is, or None outside of notebooks."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if hasattr(shell, "kernel") else None


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
