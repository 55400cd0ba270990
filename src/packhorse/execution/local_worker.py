"""Run one wave with a worker on this machine."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from packhorse.model.plan import Plan
from packhorse.project.background_import import import_ahead
from packhorse.project.reporter import Progress, Reporter
from packhorse.rundata.progress import EndReason, WaveEnd, tasks_done
from packhorse.rundir.directory import RunDirectory
from packhorse.runtime.survivors import end_survivors
from packhorse.runtime.worker_process import WorkerProcess

LOOK_SECONDS = 0.1


PROGRESS_SECONDS = 0.25


def run_worker(
    run: RunDirectory,
    plan: Plan,
    *,
    slots: int,
    lock: int,
    reporter: Reporter,
    seconds: float = 0.0,
) -> WaveEnd:
    """Run one wave to its end here, or for so many seconds; KeyboardInterrupt stops it and keeps what is finished."""
    scratch = run.path / "work"
    shutil.rmtree(scratch, ignore_errors=True)
    worker = WorkerProcess(
        run.path,
        run.work_path(plan.wave),
        slots=slots,
        lock=lock,
        scratch=scratch,
        seconds=seconds,
    )
    followed = OutputTail(scratch, reporter) if run.work(plan.wave)["tee"] else None
    watched = WatchedWorker(worker, run, plan, reporter, followed)
    import_ahead("polars")
    try:
        while worker.alive():
            watched.look()
            time.sleep(0.02 if watched.seconds < 1 else LOOK_SECONDS)
    except KeyboardInterrupt:
        worker.stop()
        reporter.say("stopping: running tasks end, finished ones are kept")
        worker.wait(watched.look)
    finally:
        watched.look()
        watched.show()
        reporter.finished()
        if worker.alive():
            worker.stop()
            worker.wait(watched.look)
        worker.close()
        if watched.end.how is EndReason.DIED:
            end_survivors(run.mark())  # tasks whose worker and launcher were killed would run twice
        shutil.rmtree(scratch, ignore_errors=True)
    return watched.end


class WatchedWorker:
    """A worker on one wave, and who is told of it."""

    def __init__(
        self,
        worker: WorkerProcess,
        run: RunDirectory,
        plan: Plan,
        reporter: Reporter,
        followed: OutputTail | None,
    ) -> None:
        self.worker, self.run, self.plan, self.reporter = worker, run, plan, reporter
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
            self.end.take(event, self.reporter)
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
        self.reporter.progress(
            Progress(
                total=self.plan.total,
                done=before_ok + ok,
                failed=before_failed + sum(counts.values()),
                started_with=before_ok + before_failed,
                seconds=self.seconds,
            )
        )


class OutputTail:
    """Passes on what the single task of a run prints, while it prints it."""

    def __init__(self, scratch: Path, reporter: Reporter) -> None:
        self.scratch = scratch
        self.reporter = reporter
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
                    self.reporter.output(data, error=name == "stderr")
