"""Progress of a wave, from the ends of its journals."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from packhorse.project.reporter import Reporter
from packhorse.results.journal import read_tail
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
    """Why a wave ended, and what its worker reported."""

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

    def take(self, event: dict[str, Any], reporter: Reporter) -> None:
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
            _tell_full(event, reporter)
        elif "note" in event:
            _tell_files(event, reporter)


def _tell_full(event: dict[str, Any], reporter: Reporter) -> None:
    if event["full"]:
        places = " and ".join(dict.fromkeys([event["directory"], event["scratch"]]))
        reporter.warn(
            f"the disk is full ({event['full']}): make space in {places}; the run waits 15 minutes for it"
        )
    else:
        reporter.say("there is space again; the run goes on")


def _tell_files(event: dict[str, Any], reporter: Reporter) -> None:
    names = event["files"]
    shown = ", ".join(names[:5]) + (f" and {event['count'] - 5} more" if event["count"] > 5 else "")
    if event["note"] == "new files":
        reporter.warn(
            f"the first task also wrote {shown}, which nothing names, so it is not kept;"
            f" to keep it write\n  artifacts: [{names[0]}]"
        )
    else:
        reporter.warn(
            f"the first task changed {shown} in its private copy; a later task in the same slot sees the change"
        )


def tasks_done(run: RunDirectory, wave: int) -> dict[str, int]:
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
