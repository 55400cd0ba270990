"""Progress of a wave, from the ends of its journals."""

from __future__ import annotations

from typing import Any

from packhorse.project.reporter import Reporter
from packhorse.results.journal import read_tail
from packhorse.rundir.directory import RunDirectory


class WaveEnd:
    """Why a wave ended, and what its worker said on the way."""

    def __init__(self) -> None:
        self.how = "died"
        self.cause = ""
        self.traceback = ""
        self.lost = ""

    @property
    def again(self) -> str:
        """Why a wave that left tasks unfinished is followed by another."""
        if self.how == "died":
            return "the worker died; its unfinished tasks run again"
        return "some tasks were left unfinished; they run again"

    def take(self, event: dict[str, Any], reporter: Reporter) -> None:
        """Take one event of the worker."""
        if "end" in event:
            self.how = event["end"]
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
