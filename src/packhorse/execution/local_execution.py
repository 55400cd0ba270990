"""Execute a run on this machine, wave after wave."""

from __future__ import annotations

import time

from packhorse.execution.local_worker import run_worker
from packhorse.execution.next_wave import find_pending, start_wave, unfinished, write_wave
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
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.rundata.progress import EndReason, WaveEnd
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.lock import RunLock
from packhorse.rundir.submissions import Submissions
from packhorse.runtime.capacity import available_memory, usable_cores
from packhorse.runtime.survivors import end_survivors

IDLE_WAVES = 2  # waves without a new result, after which repeating will not help


def run_here(source: Source, options: RunOptions, reporter: Reporter) -> Outcome:
    """Run what is missing of a study on this machine and merge its table.

    Raises RunError where the run is locked or changed, CheckError where a check fails. Failed tasks raise
    nothing: the outcome tells of them.
    """
    began = time.monotonic()
    run = open_run(options.run or source.folder / "runs" / source.study.name, source)
    with RunLock(run.path) as lock:
        leave_site_of(run, reporter)
        ended = end_survivors(run.mark())
        if ended:
            reporter.say(f"ended {ended} process(es) of an interrupted run")
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
            ranges = unfinished(fold)
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
