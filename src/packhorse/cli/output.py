"""Printing: sentences to people, one JSON object to programs, progress on a terminal."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packhorse.project.reporter import Progress, Reporter

if TYPE_CHECKING:
    from packhorse.cluster.job_lookup import Named

LINE_SECONDS = 10.0  # between lines of progress where there is no terminal

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
where_option = click.option(
    "--where", multiple=True, metavar="NAME=VALUE[,VALUE]", help="Only tasks with these parameters."
)
task_option = click.option("--task", type=int, help="The task's index (ph_index in the table).")
run_argument = click.argument("run", required=False)


def job_of(said: str | None) -> Named | None:
    """Return the job that SITE:JOB names; None for a run's name."""
    if said is None or ":" not in said:
        return None
    from packhorse.cluster.job_lookup import named_job

    return named_job(said, Path.cwd())


def say(text: str = "") -> None:
    """Print a sentence, at once: what is said of an error stands below it, also in a file."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print beside the result, to standard error."""
    print(text, file=sys.stderr)


def as_object(value: Any) -> None:
    """Print one JSON object on one line."""
    print(json.dumps(value, default=str))


def duration(seconds: float | None) -> str:
    """Return seconds as people say them."""
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
    """Return bytes as people say them."""
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def number(value: int) -> str:
    """Return a whole number with separators."""
    return f"{value:,}"


def tasks(value: int) -> str:
    """Return how many tasks, in words that agree."""
    return f"{number(value)} task{'' if value == 1 else 's'}"


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
    """Shows a run to a person: a bar on a terminal, plain lines elsewhere; all on standard error."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.last = time.monotonic()
        self.shown = -1

    def say(self, text: str) -> None:
        """Print a sentence above the bar."""
        self._above(text)

    def warn(self, text: str) -> None:
        """Print a sentence that matters."""
        self._above(f"note: {text}")

    def _above(self, text: str) -> None:
        if self.bar is not None:
            self.bar.console.print(text, markup=False, highlight=False)
        else:
            note(text)

    def output(self, data: bytes, *, error: bool) -> None:
        """Pass on what a script prints."""
        stream = sys.stderr.buffer if error else sys.stdout.buffer
        stream.write(data)
        stream.flush()

    def progress(self, progress: Progress) -> None:
        """Show how far the run is."""
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
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def line(progress: Progress) -> str:
    """Return progress as one line."""
    done = progress.done + progress.failed
    said = f"{number(done)} of {number(progress.total)} tasks"
    if progress.rate:
        said += f", {progress.rate:,.1f}/s" if progress.rate < 100 else f", {progress.rate:,.0f}/s"
    if progress.left is not None and done < progress.total:
        said += f", {duration(progress.left)} left"
    if progress.failed:
        said += f", {number(progress.failed)} failed"
    return said


class Quiet(Lines):
    """Shows nothing but what the user should act on, for `--json`."""

    def say(self, text: str) -> None:
        """Keep silent."""

    def progress(self, progress: Progress) -> None:
        """Keep silent."""

    def output(self, data: bytes, *, error: bool) -> None:
        """Pass on to standard error, since standard output is for the object."""
        super().output(data, error=True)
