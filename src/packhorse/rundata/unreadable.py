"""Results that the last merge could not read, written back so that every command counts their tasks as failed.

The worker judges what it can read itself. Parquet, NumPy, R and YAML files, and several files that do not fit together,
are judged where the table is made; unreadable.json keeps that judgement. The next merge reads all results again, since
libraries and the study's `result:` may have changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from packhorse.model.plan import Plan
from packhorse.results.journal import Journal, Record
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file

if TYPE_CHECKING:
    from packhorse.results.table import MergeReport

FILE = "unreadable.json"


class UnreadableResult(Struct, frozen=True):
    """A result that cannot be read: the record that has it, and the reason. `task` is an index of its journal."""

    journal: str
    task: int
    attempt: int
    cause: str


class UnreadableResults(Struct, frozen=True, kw_only=True):
    """All unreadable results that a merge found, and the newest wave then."""

    format: Literal["packhorse-unreadable"] = "packhorse-unreadable"
    version: Literal[1] = 1
    wave: int = 0
    results: tuple[UnreadableResult, ...] = ()


def keep_unreadable(run: RunDirectory, merged: MergeReport) -> None:
    """Write the unreadable results of a merge to the run directory; without any, remove the file."""
    path = run.path / FILE
    if not merged.unreadable:
        path.unlink(missing_ok=True)
        return
    results = tuple(
        UnreadableResult(journal.path.name, record.index, record.attempt, reason)
        for reason, journal, record in merged.unreadable.values()
    )
    found = UnreadableResults(wave=max(run.waves(), default=0), results=results)
    write_file(path, msgspec.json.encode(found))


def read_unreadable(run: RunDirectory) -> UnreadableResults:
    """Return the unreadable results that the last merge of a run found."""
    try:
        return msgspec.json.decode((run.path / FILE).read_bytes(), type=UnreadableResults)
    except (
        FileNotFoundError,
        ValueError,
    ):  # no merge, or a file of another version: the next merge writes it
        return UnreadableResults()


def refuse(journals: Iterable[Journal], unreadable: UnreadableResults) -> None:
    """Count the records of unreadable results as failed."""
    causes: dict[str, dict[tuple[int, int], str]] = {}
    for one in unreadable.results:
        causes.setdefault(one.journal, {})[one.task, one.attempt] = one.cause
    for journal in journals:
        if journal.path.name in causes:
            journal.refuse(causes[journal.path.name])


def refused_records(run: RunDirectory) -> list[Record]:
    """Return the records of unreadable results as failed ones, with index, attempt and cause only."""
    return [
        Record(index=one.task, attempt=one.attempt, outcome="FAILED", cause=one.cause)
        for one in read_unreadable(run).results
    ]


def counted_as_ok(run: RunDirectory, plan: Plan) -> int:
    """Return how many tasks are OK in the totals of a run's newest plan although their result is unreadable.

    The number is negative where results have become readable since the wave was planned.
    """
    unreadable = read_unreadable(run)
    if not plan.follows:
        # `before` counts what the merge before the wave had refused; a later merge has read all results again.
        return len(unreadable.results) - plan.refused if unreadable.wave >= plan.wave else 0
    # The continuation knows the journals only, and counts all of them as OK but those that the user's command repeats.
    origin = _origin(run, plan)
    repeated = sum(end - first for first, end in origin.unreadable) if unreadable.wave < origin.wave else 0
    return len(unreadable.results) - repeated


def _origin(run: RunDirectory, plan: Plan) -> Plan:
    """Return the plan of the user's command that `plan` continues."""
    plans = {one.wave: one for one in run.plans()}
    while plan.follows and plan.follows in plans:
        plan = plans[plan.follows]
    return plan
