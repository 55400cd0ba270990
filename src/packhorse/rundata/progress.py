"""Progress of a wave, from the ends of its journals."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from msgspec import Struct

from packhorse.model.plan import Plan
from packhorse.project.reporter import Reporter
from packhorse.results.journal_tail import read_tail
from packhorse.rundata.unreadable import counted_as_ok
from packhorse.rundir.directory import RunDirectory


class EndReason(StrEnum):
    """Why a wave, or a run, ended."""

    DONE = "done"
    STOPPED = "stopped"  # by the user
    DEADLINE = "deadline"  # of the worker
    FAILING = "failing"  # the first tasks all failed in the same way
    BROKEN = "broken"  # the worker met an error of its own
    FULL = "full"  # the disk stayed full
    ERROR = "error"  # a fault of the worker
    DIED = "died"  # the worker ended without a word
    # of runs on a site only, as in stopped.json
    IDLE = "idle"  # waves without a new result
    CAP = "cap"  # a limit that the user set
    REFUSED = "refused"  # the scheduler takes no further job
    CANCELLED = "cancelled"


class WaveEnd:
    """Why a wave ended, and what its worker reported.

    `cause` is the reason in words, `traceback` that of a fault, `lost` the last task of a worker that died.
    """

    def __init__(self, how: EndReason = EndReason.DIED, cause: str = "") -> None:
        self.how = how
        self.cause = cause
        self.traceback = ""
        self.lost = ""

    @property
    def again(self) -> str:
        """Why another wave follows one that left tasks unfinished."""
        if self.how is EndReason.DIED:
            return "the worker died; its unfinished tasks run again"
        return "some tasks were not finished; they run again"

    def record(self, event: dict[str, Any], reporter: Reporter) -> None:
        """Record one event of the worker."""
        if "end" in event:
            self.how = EndReason(event["end"])
        elif "failing" in event:
            self.cause = event["failing"] or ""
        elif "broken" in event:
            self.cause, self.traceback = event["broken"], event.get("traceback", "")
        elif "error" in event:
            self.cause = event["error"]
        elif "lost" in event:
            self.lost = event["lost"]
        elif "full" in event:
            _report_full_disk(event, reporter)
        elif "note" in event:
            _report_files(event, reporter)


def _report_full_disk(event: dict[str, Any], reporter: Reporter) -> None:
    if event["full"]:
        folders = " and ".join(dict.fromkeys([event["directory"], event["scratch"]]))
        reporter.warn(
            f"the disk is full ({event['full']}); the run waits 15 minutes for free space in {folders}"
        )
    else:
        reporter.say("the disk has free space again; the run continues")


def _yaml_word(name: str) -> str:
    """Return a file name or pattern for a list in YAML, in quotes where it needs them."""
    return name if re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./-]*", name) else "'" + name.replace("'", "''") + "'"


def _report_files(event: dict[str, Any], reporter: Reporter) -> None:
    names = event["files"]
    shown = ", ".join(names[:5]) + (f" and {event['count'] - 5} more" if event["count"] > 5 else "")
    if event["note"] == "new files":
        reporter.warn(
            f"the first task also wrote {shown}, which the study does not name, so it is not kept;"
            f" to keep it, add to the study:\n  artifacts: [{', '.join(map(_yaml_word, event['patterns']))}]"
        )
    elif event["note"] == "changed data":
        reporter.warn(
            f"{shown} changed while tasks ran; `data` is linked and not copied, so tasks that write to it change your"
            " own files, and may have read what other tasks wrote; let them work on a copy: cp DATA {scratch}"
        )
    else:
        reporter.warn(
            f"the first task changed {shown} in its private copy; every task begins with these files as they were"
        )


class RunCounts(Struct, frozen=True, kw_only=True):
    """Tasks of a run by outcome; a task without one is in none of them."""

    total: int
    by_outcome: dict[str, int]

    @property
    def done(self) -> int:
        """Tasks with outcome OK."""
        return min(self.by_outcome.get("OK", 0), self.total)

    @property
    def failed(self) -> int:
        """Tasks with any other outcome."""
        failed = sum(
            number for outcome, number in self.by_outcome.items() if outcome not in ("OK", "MISSING")
        )
        return min(failed, self.total - self.done)


def run_counts(run: RunDirectory, plan: Plan) -> RunCounts:
    """Return the counts of a run: those when its newest wave was planned, and those of that wave.

    Tasks whose result the last merge could not read have failed.
    """
    counts = dict(plan.before)
    for outcome, number in wave_counts(run, plan.wave).items():
        counts[outcome] = counts.get(outcome, 0) + number
    unreadable = counted_as_ok(run, plan)
    if unreadable:
        counts["OK"] = max(0, counts.get("OK", 0) - unreadable)
        counts["FAILED"] = max(0, counts.get("FAILED", 0) + unreadable)
    return RunCounts(total=plan.total, by_outcome=counts)


def wave_counts(run: RunDirectory, wave: int) -> dict[str, int]:
    """Return the counts by outcome of one wave, from the ends of its journals."""
    counts: dict[str, int] = {}
    for path in run.ends(wave):
        end = read_tail(path)
        for name, number in end.totals.items():
            if name.isupper():
                counts[name] = counts.get(name, 0) + number
        for record in end.records:
            counts[record.outcome] = counts.get(record.outcome, 0) + 1
    return counts
