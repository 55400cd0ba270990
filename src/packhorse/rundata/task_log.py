"""What one task left: its log, the end of its traceback, the files that were kept."""

from __future__ import annotations

import re

from packhorse.results.fold import Fold
from packhorse.results.journal import Journal, Record
from packhorse.rundata.outcomes import Outcomes
from packhorse.rundir.directory import RunDirectory
from packhorse.worker.tasks.cause import TRACEBACK

FRAMES = 3  # last frames of a traceback that are shown
FRAME = re.compile(r'\s*File "(?P<path>.*)", line \d+')
SLOT = re.compile(r"(?<=[\"'])/[^\"'\n]*/slot-\d+/code/[^/\n]+/")  # a working copy's folder
MESSAGE_ROWS = 4  # first lines of the message after it
CALLS_OF_R = 6  # last lines that R prints about the calls that led to an error


def log_of(run: RunDirectory, fold: Fold, index: int) -> str:
    """Return what a task printed in the attempt that decided its outcome."""
    found = fold.record(index)
    if found is None:
        return "this task has not finished yet"
    return printed(run, *found) or "(no output beside its result)"


def last_attempt(outcomes: Outcomes, index: int) -> tuple[Journal, Record] | None:
    """Return the record of the attempt that decides a task's outcome, else of the last one that was stopped."""
    return outcomes.fold.record(index) or outcomes.stopped(index)


def printed(run: RunDirectory, journal: Journal, record: Record) -> str:
    """Return what the log has of an attempt; empty if it printed nothing."""
    if not record.log or journal.header is None:
        return ""
    try:
        with (run.path / "logs" / journal.header.log).open("rb") as stream:
            stream.seek(record.log[0])
            return stream.read(record.log[1]).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def kept_folder(journal: Journal, record: Record) -> str:
    """Return the folder with the files that were kept of an attempt, relative to the run; empty if none were."""
    return f"artifacts/{journal.prefix}{record.index}" if record.artifacts else ""


def kept_files(run: RunDirectory, journal: Journal, record: Record) -> list[str]:
    """Return the paths of the files that were kept of an attempt, relative to `kept_folder`."""
    name = kept_folder(journal, record)
    folder = run.path / name
    if not name or not folder.is_dir():
        return []
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def last_frames(text: str) -> list[str]:
    """Return the last frames of the last traceback in a log, with the exception; of R the last error with its calls."""
    rows = [SLOT.sub("", row) for row in text.rstrip().splitlines()]
    starts = [at for at, row in enumerate(rows) if row.lstrip(" |+").startswith(TRACEBACK)]
    if starts:
        frames = [at for at in range(starts[-1], len(rows)) if FRAME.match(rows[at])]
        begin = frames[-FRAMES] if len(frames) >= FRAMES else starts[-1] + 1
        error = next((at for at in range(begin, len(rows)) if rows[at][:1].strip()), len(rows))
        return rows[begin:error] + rows[error:][:MESSAGE_ROWS]
    errors = [at for at, row in enumerate(rows) if row.startswith(("Error in ", "Error:", "Error ("))]
    return rows[errors[-1] :][:CALLS_OF_R] if errors else []
