"""Run one wave with a worker on this machine."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from packhorse.model.plan import Plan
from packhorse.project.background_import import import_in_background
from packhorse.project.reporter import Progress, Reporter
from packhorse.rundata.progress import EndReason, RunCounts, WaveEnd, run_counts
from packhorse.rundir.directory import RunDirectory
from packhorse.runtime.survivors import end_survivors
from packhorse.runtime.worker_process import WorkerProcess

POLL_SECONDS = 0.1
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
    """Run one wave on this machine to its end, or for `seconds` (0: no limit).

    KeyboardInterrupt stops it; finished tasks are kept. `lock` is the descriptor of the run's lock.
    """
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
    output = OutputTail(scratch, reporter) if run.work(plan.wave)["tee"] else None
    watched = WatchedWorker(worker, run, plan, reporter, output)
    import_in_background("polars")
    try:
        while worker.alive():
            watched.poll()
            time.sleep(0.02 if watched.seconds < 1 else POLL_SECONDS)
    except KeyboardInterrupt:
        worker.stop()
        reporter.say("stopping: running tasks are ended, finished tasks are kept")
        worker.wait(watched.poll)
    finally:
        watched.poll()
        watched.show_progress()
        reporter.finished()
        if worker.alive():
            worker.stop()
            worker.wait(watched.poll)
        worker.close()
        if watched.end.how is EndReason.DIED:
            end_survivors(run.mark())  # tasks whose worker and launcher were killed would run twice
        shutil.rmtree(scratch, ignore_errors=True)
    return watched.end


class WatchedWorker:
    """A worker on one wave, whose events go to a reporter."""

    def __init__(
        self,
        worker: WorkerProcess,
        run: RunDirectory,
        plan: Plan,
        reporter: Reporter,
        output: OutputTail | None,
    ) -> None:
        self.worker, self.run, self.plan, self.reporter = worker, run, plan, reporter
        self.output = output
        self.end = WaveEnd()
        self.started = time.monotonic()
        self.shown = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the worker started."""
        return time.monotonic() - self.started

    def poll(self) -> None:
        """Report the events of the worker since the last poll, and now and then the progress."""
        for event in self.worker.events():
            self.end.record(event, self.reporter)
        if self.output:
            self.output.poll()
        if time.monotonic() - self.shown > PROGRESS_SECONDS:
            self.shown = time.monotonic()
            self.show_progress()

    def show_progress(self) -> None:
        """Report how many tasks are finished."""
        counts = run_counts(self.run, self.plan)
        before = RunCounts(total=self.plan.total, by_outcome=self.plan.before)
        self.reporter.progress(
            Progress(
                total=counts.total,
                done=counts.done,
                failed=counts.failed,
                started_with=before.done + before.failed,
                seconds=self.seconds,
            )
        )


class OutputTail:
    """Passes on what the only task of a run prints, while it runs."""

    def __init__(self, scratch: Path, reporter: Reporter) -> None:
        self.scratch = scratch
        self.reporter = reporter
        self.read = {"stdout": 0, "stderr": 0}

    def poll(self) -> None:
        """Pass on what is new."""
        for name in self.read:
            for path in self.scratch.glob(f"*/slot-0/{name}"):
                with path.open("rb") as stream:
                    stream.seek(self.read[name])
                    data = stream.read()
                if data:
                    self.read[name] += len(data)
                    self.reporter.output(data, error=name == "stderr")
