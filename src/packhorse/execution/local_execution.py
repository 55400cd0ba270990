"""Execute a run on this machine, wave after wave."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from packhorse.execution.next_wave import find_pending, start_wave, unfinished, wanted, write_wave
from packhorse.execution.report import report_run
from packhorse.execution.run_context import (
    RunContext,
    open_run,
    prepare_run,
    run_study_checks,
    write_run_files,
)
from packhorse.execution.run_model import Outcome, PendingTasks, RunOptions
from packhorse.execution.target import LocalTarget
from packhorse.model.plan import Plan
from packhorse.model.site import Site
from packhorse.plan.waves import count, local_slots
from packhorse.preflight.login_node import MINUTE, check_minute, login_node_error, login_site
from packhorse.project.background_import import import_in_background
from packhorse.project.cache_dir import copies_parent
from packhorse.project.reporter import Progress, Reporter
from packhorse.project.source import Source
from packhorse.rundata.progress import EndReason, RunCounts, WaveEnd, run_counts
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.lock import RunLock
from packhorse.rundir.submissions import Submissions
from packhorse.runtime.capacity import available_memory, usable_cores
from packhorse.runtime.survivors import end_survivors
from packhorse.runtime.worker_process import WorkerProcess

IDLE_WAVES = 2  # waves without a new result, after which repeating will not help


def run_here(source: Source, options: RunOptions, reporter: Reporter) -> Outcome:
    """Run what is missing of a study on this machine and merge its table.

    Raises RunError where the run is locked or changed, CheckError where a check fails. Failed tasks raise
    nothing: the outcome tells of them.
    """
    began = time.monotonic()
    directory = options.run or source.folder / "runs" / source.study.name
    run = open_run(directory, source, trial=options.only is not None)
    with RunLock(run.path) as lock:
        leave_site_of(run, reporter)
        ended = end_survivors(run.mark())
        if ended:
            reporter.say(f"ended the processes of an interrupted run: {ended}")
        context = prepare_run(source, options, run, LocalTarget(), reporter)
        fold = context.fold()
        pending = find_pending(context, fold, reporter)
        end = None
        if pending is not None:
            write_run_files(context, pending.identity)
            unchecked = run_study_checks(context, pending.identity, reporter)
            end = LocalExecution(context, reporter, lock.descriptor, unchecked=unchecked).execute(pending)
        return report_run(context, end, finished_before=fold.size - fold.counts["MISSING"], began=began)


def leave_site_of(run: RunDirectory, reporter: Reporter) -> None:
    """Move a run that was submitted to a site to this machine; raise RunError while its jobs are alive."""
    if Submissions(run).cluster() is None:
        return
    # Only a run that was on a site needs the code of schedulers and ssh.
    from packhorse.execution.leave_site import leave_site

    stays = leave_site(run)
    if stays:
        reporter.say(stays)


class LocalExecution:
    """Waves of one run, worked on by this machine; `lock` is the descriptor of the run's lock."""

    def __init__(self, context: RunContext, reporter: Reporter, lock: int, *, unchecked: bool) -> None:
        self.context, self.reporter, self.lock, self.unchecked = context, reporter, lock, unchecked
        # The site of which this machine is a login node: one core for a minute is all it may use.
        self.login: Site | None = None if context.options.here else login_site(context.source)

    def execute(self, pending: PendingTasks) -> WaveEnd:
        """Run waves until nothing is missing, nothing moves, or the worker stops; return the last one's end."""
        source, fold, idle = self.context.source, pending.fold, 0
        if self.login is not None:
            check_minute(source, self.login, count(pending.ranges), fold)
        end = self._run_wave(pending)
        if self.login is not None and end.how is EndReason.DEADLINE:
            raise login_node_error(source, self.login, "a minute has passed; finished tasks are kept")
        while True:
            before, fold = fold.counts["OK"], self.context.fold()
            ranges = wanted(self.context, unfinished(fold))
            idle = idle + 1 if fold.counts["OK"] == before else 0
            repeatable = end.how in (EndReason.DONE, EndReason.DIED)
            if not repeatable or not ranges or idle >= IDLE_WAVES:
                return end
            self.reporter.warn(end.again)
            end = self._run_wave(PendingTasks(fold=fold, ranges=ranges, identity=pending.identity))

    def _run_wave(self, pending: PendingTasks) -> WaveEnd:
        slots = self._slots()
        plan: Plan = start_wave(self.context, pending, slots=slots, unchecked=self.unchecked)
        write_wave(self.context, plan)
        end = run_worker(
            self.context.run,
            plan,
            slots=slots,
            lock=self.lock,
            reporter=self.reporter,
            seconds=MINUTE if self.login else 0.0,
        )
        if end.how is EndReason.DIED:
            log = self.context.run.path / "logs" / "worker.log"
            end.cause = end.cause or f"the worker died; see {log}"
        return end

    def _slots(self) -> int:
        resources = self.context.study.resources
        return local_slots(
            cores=usable_cores(),
            memory=available_memory(),
            cpus=resources.cpus,
            task_memory=resources.memory,
            asked=1 if self.login else self.context.options.jobs,
        )


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
    shutil.rmtree(run.path / "work", ignore_errors=True)  # where older versions had working copies
    work = run.work(plan.wave)
    worker = WorkerProcess(
        run.path,
        run.work_path(plan.wave),
        slots=slots,
        lock=lock,
        scratch=copies_parent((run.path / work["snapshot"]).stat().st_size * (slots + 1)),
        options=("--seconds", str(seconds), "--margin", "0") if seconds else (),
    )
    output = OutputTail(reporter) if work["tee"] else None
    watched = WatchedWorker(worker, run, plan, reporter, output)
    import_in_background("packhorse.results.load_polars")
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
        if output and output.folder:
            shutil.rmtree(output.folder, ignore_errors=True)
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
            if self.output and "copies" in event:
                self.output.folder = Path(event["copies"])
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

    def __init__(self, reporter: Reporter) -> None:
        self.folder: Path | None = None  # of the worker, once it has told it
        self.reporter = reporter
        self.read = {"stdout": 0, "stderr": 0}

    def poll(self) -> None:
        """Pass on what is new."""
        for name in self.read:
            path = self.folder / "slot-0" / name if self.folder else None
            if path is None or not path.exists():
                continue
            with path.open("rb") as stream:
                stream.seek(self.read[name])
                data = stream.read()
            if data:
                self.read[name] += len(data)
                self.reporter.output(data, error=name == "stderr")
