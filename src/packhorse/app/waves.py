"""Working off one wave with this machine's worker."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from packhorse.app.ahead import import_ahead
from packhorse.app.watch import Progress, Watcher
from packhorse.model.plan import Plan
from packhorse.results.journal import tail
from packhorse.run.directory import RunDirectory
from packhorse.run.local import LocalWorker
from packhorse.run.survivors import end_survivors

LOOK_SECONDS = 0.1
PROGRESS_SECONDS = 0.25


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

    def take(self, event: dict[str, Any], watcher: Watcher) -> None:
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
            _tell_full(event, watcher)
        elif "note" in event:
            _tell_files(event, watcher)


def _tell_full(event: dict[str, Any], watcher: Watcher) -> None:
    if event["full"]:
        places = " and ".join(dict.fromkeys([event["directory"], event["scratch"]]))
        watcher.warn(
            f"the disk is full ({event['full']}): make space in {places}; the run waits 15 minutes for it"
        )
    else:
        watcher.say("there is space again; the run goes on")


def _tell_files(event: dict[str, Any], watcher: Watcher) -> None:
    names = event["files"]
    shown = ", ".join(names[:5]) + (f" and {event['count'] - 5} more" if event["count"] > 5 else "")
    if event["note"] == "new files":
        watcher.warn(
            f"the first task also wrote {shown}, which nothing names, so it is not kept;"
            f" to keep it write\n  artifacts: [{names[0]}]"
        )
    else:
        watcher.warn(
            f"the first task changed {shown} in its private copy; a later task in the same slot sees the change"
        )


def tasks_done(run: RunDirectory, wave: int) -> dict[str, int]:
    """Return the counts by outcome of one wave, from the ends of its journals."""
    counts: dict[str, int] = {}
    for path in run.ends(wave):
        end = tail(path)
        for name, number in end.totals.items():
            if name.isupper():
                counts[name] = counts.get(name, 0) + number
        for record in end.records:
            counts[record.outcome] = counts.get(record.outcome, 0) + 1
    return counts


def work_off(
    run: RunDirectory,
    plan: Plan,
    *,
    slots: int,
    lock: int,
    watcher: Watcher,
    seconds: float = 0.0,
) -> WaveEnd:
    """Run one wave to its end here, or for so many seconds; KeyboardInterrupt stops it and keeps what is finished."""
    scratch = run.path / "work"
    shutil.rmtree(scratch, ignore_errors=True)
    worker = LocalWorker(
        run.path,
        run.work_path(plan.wave),
        slots=slots,
        lock=lock,
        scratch=scratch,
        seconds=seconds,
    )
    followed = Followed(scratch, watcher) if run.work(plan.wave)["tee"] else None
    watched = Watched(worker, run, plan, watcher, followed)
    import_ahead("polars")
    try:
        while worker.alive():
            watched.look()
            time.sleep(0.02 if watched.seconds < 1 else LOOK_SECONDS)
    except KeyboardInterrupt:
        worker.stop()
        watcher.say("stopping: running tasks end, finished ones are kept")
        worker.wait(watched.look)
    finally:
        watched.look()
        watched.show()
        watcher.finished()
        if worker.alive():
            worker.stop()
            worker.wait(watched.look)
        worker.close()
        if watched.end.how == "died":
            end_survivors(run.mark())  # tasks whose worker and launcher were killed would run twice
        shutil.rmtree(scratch, ignore_errors=True)
    return watched.end


class Watched:
    """A worker on one wave, and who is told of it."""

    def __init__(
        self, worker: LocalWorker, run: RunDirectory, plan: Plan, watcher: Watcher, followed: Followed | None
    ) -> None:
        self.worker, self.run, self.plan, self.watcher = worker, run, plan, watcher
        self.followed = followed
        self.end = WaveEnd()
        self.begun = time.monotonic()
        self.shown = 0.0

    @property
    def seconds(self) -> float:
        """How long it has worked."""
        return time.monotonic() - self.begun

    def look(self) -> None:
        """Pass on what the worker has said since the last look, and now and then how far it is."""
        for event in self.worker.events():
            self.end.take(event, self.watcher)
        if self.followed:
            self.followed.look()
        if time.monotonic() - self.shown > PROGRESS_SECONDS:
            self.shown = time.monotonic()
            self.show()

    def show(self) -> None:
        """Tell how far the run is."""
        counts = tasks_done(self.run, self.plan.wave)
        before = self.plan.before
        ok = counts.pop("OK", 0)
        before_ok = before.get("OK", 0)
        before_failed = sum(n for name, n in before.items() if name not in ("OK", "MISSING"))
        self.watcher.progress(
            Progress(
                total=self.plan.total,
                done=before_ok + ok,
                failed=before_failed + sum(counts.values()),
                started_with=before_ok + before_failed,
                seconds=self.seconds,
            )
        )


class Followed:
    """Passes on what the single task of a run prints, while it prints it."""

    def __init__(self, scratch: Path, watcher: Watcher) -> None:
        self.scratch = scratch
        self.watcher = watcher
        self.read = {"stdout": 0, "stderr": 0}

    def look(self) -> None:
        """Pass on what is new."""
        for name in self.read:
            for path in self.scratch.glob(f"*/slot-0/{name}"):
                with path.open("rb") as stream:
                    stream.seek(self.read[name])
                    data = stream.read()
                if data:
                    self.read[name] += len(data)
                    self.watcher.output(data, error=name == "stderr")
