"""The log of one task."""

from __future__ import annotations

from packhorse.results.fold import Fold
from packhorse.rundir.directory import RunDirectory


def log_of(run: RunDirectory, fold: Fold, index: int) -> str:
    """Return what a task printed in the attempt that decided its outcome."""
    found = fold.record(index)
    if found is None:
        return "this task has not finished yet"
    journal, record = found
    if not record.log or journal.header is None:
        return "(no output beside its result)"
    with (run.path / "logs" / journal.header.log).open("rb") as stream:
        stream.seek(record.log[0])
        return stream.read(record.log[1]).decode("utf-8", "replace")
