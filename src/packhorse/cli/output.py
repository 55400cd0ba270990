"""Output: text for people, one JSON object for programs, progress on a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from msgspec import Struct

from packhorse.project.reporter import Progress, Reporter

if TYPE_CHECKING:
    from packhorse.cluster.job_lookup import Named

LINE_SECONDS = 10.0  # between lines of progress where standard error is not a terminal
NO_RUN = "no run here yet; packhorse run study.yaml makes one"

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
where_option = click.option(
    "--where", multiple=True, metavar="NAME=VALUE[,VALUE]", help="Only tasks with these parameters."
)
task_option = click.option("--task", type=int, help="The task's index (ph_index in the table).")
run_argument = click.argument("run", required=False)


def job_of(text: str | None) -> Named | None:
    """Return the job that SITE:JOB names; None for a run's name."""
    if text is None or ":" not in text:
        return None
    # Start-up: a run on this machine needs no code about sites.
    from packhorse.cluster.job_lookup import named_job

    return named_job(text, Path.cwd())


def say(text: str = "") -> None:
    """Print a line and flush, so that an error follows it also in a file."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print a line to standard error, apart from the result."""
    print(text, file=sys.stderr)


def print_json(value: Struct) -> None:
    """Print a JSON object on one line."""
    # json and not msgspec: integers of any size, and NaN, as parameters and results may hold them.
    print(json.dumps(msgspec.to_builtins(value), default=str))


def duration(seconds: float | None) -> str:
    """Return seconds for people."""
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def size(number: float) -> str:
    """Return bytes for people."""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def number(value: int) -> str:
    """Return a whole number with separators."""
    return f"{value:,}"


def tasks(value: int) -> str:
    """Return how many tasks, in singular or plural."""
    return f"{number(value)} task{'' if value == 1 else 's'}"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows with their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def frame_lines(frame: Any) -> list[str]:
    """Return a polars frame as a table of text."""
    import polars

    with polars.Config(
        tbl_rows=200,
        tbl_cols=50,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_formatting="ASCII_MARKDOWN",
        tbl_width_chars=200,
        float_precision=6,
    ):
        return str(frame).splitlines()


class Lines(Reporter):
    """Shows a run: a progress bar on a terminal, plain lines elsewhere; all on standard error."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.last = time.monotonic()
        self.shown = -1

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._above(text)

    def warn(self, text: str) -> None:
        """Print a note."""
        self._above(f"note: {text}")

    def _above(self, text: str) -> None:
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False)
        else:
            note(text)

    def output(self, data: bytes, *, error: bool) -> None:
        """Write what a script printed."""
        stream = sys.stderr.buffer if error else sys.stdout.buffer
        stream.write(data)
        stream.flush()

    def progress(self, progress: Progress) -> None:
        """Show the progress of the run."""
        if progress.total <= 1:
            return
        if sys.stderr.isatty():
            self._show_bar(progress)
        elif time.monotonic() - self.last >= LINE_SECONDS and progress.done + progress.failed != self.shown:
            self.last, self.shown = time.monotonic(), progress.done + progress.failed
            note(line(progress))

    def _show_bar(self, progress: Progress) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        if self.bar is None:
            columns = (BarColumn(bar_width=30), TextColumn("{task.description}", markup=False))
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
            self.bar.start()
            self.task = self.bar.add_task("", total=progress.total)
        done = progress.done + progress.failed
        self.bar.update(self.task, completed=done, description=line(progress), refresh=True)

    def finished(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def line(progress: Progress) -> str:
    """Return progress as one line."""
    done = progress.done + progress.failed
    text = f"{number(done)} of {number(progress.total)} tasks"
    if progress.rate:
        text += f", {progress.rate:,.1f}/s" if progress.rate < 100 else f", {progress.rate:,.0f}/s"
    if progress.left is not None and done < progress.total:
        text += f", {duration(progress.left)} left"
    if progress.failed:
        text += f", {number(progress.failed)} failed"
    return text


class Quiet(Lines):
    """Shows only notes, for `--json`."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def progress(self, progress: Progress) -> None:
        """Do nothing."""

    def output(self, data: bytes, *, error: bool) -> None:
        """Write to standard error, since standard output is for the object."""
        super().output(data, error=True)
