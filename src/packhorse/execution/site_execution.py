"""Execute a run on a site: submit what is missing, follow it, report."""

from __future__ import annotations

import time

from msgspec import Struct

from packhorse.cluster.job_scripts import Caps, render
from packhorse.cluster.job_state import RunJobState, job_state, job_state_line
from packhorse.cluster.monitor import Monitor
from packhorse.cluster.queue import Queue
from packhorse.cluster.submit_wave import EXTRA_WAVES, Submitter
from packhorse.execution.leave_site import leave_site
from packhorse.execution.next_wave import find_pending, start_wave, write_wave
from packhorse.execution.report import report_run
from packhorse.execution.run_context import (
    RunContext,
    open_run,
    prepare_run,
    run_study_checks,
    write_run_files,
)
from packhorse.execution.run_model import Detached, Outcome, PendingTasks, RunOptions
from packhorse.execution.site_setup import SiteSetup, set_up_site
from packhorse.model.errors import RunError, Stopped
from packhorse.model.submission import ClusterRun, Submission, token_of
from packhorse.plan.waves import count
from packhorse.project.placement import Place, Proposal, propose
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.remote.run_store import ANNOUNCE_BYTES
from packhorse.remote.transport import transport_for
from packhorse.results.fold import Fold
from packhorse.rundata.progress import EndReason, WaveEnd
from packhorse.rundata.task_log import log_of
from packhorse.rundir.directory import RunDirectory, close_leases
from packhorse.rundir.lock import RunLock
from packhorse.rundir.submissions import Submissions

LOCK_SECONDS = 120.0  # for another `run` on the same run to submit, on a busy scheduler
WAVES = 100  # at most in one run: more of them mean that something else is wrong
ENDING_SECONDS = 60.0  # for the jobs of a stopped run to end
YOUNG_SECONDS = 60.0  # a submission without a visible job may still get one


class Submitted(Struct, frozen=True, kw_only=True):
    """What `submit` did: the newest submission (None: nothing is left to run), and whether it was under way before.

    `finished_before` is the number of tasks that had an outcome before.
    """

    submission: Submission | None
    joined: bool = False
    finished_before: int = 0


class SiteExecution:
    """One call of `run --site` on one run directory."""

    def __init__(self, context: RunContext, setup: SiteSetup, queue: Queue, reporter: Reporter) -> None:
        self.context, self.setup, self.queue, self.reporter = context, setup, queue, reporter
        self.run, self.store, self.place = context.run, setup.store, setup.place
        self.submissions = Submissions(self.run, self.store)

    def submit(self) -> Submitted:
        """Submit what is missing, or join what is under way.

        Raises RunError where the scheduler does not answer or refuses, or the plan does not fit the site.
        """
        state = self._settled_state()
        latest = self.submissions.latest()
        if state.state == "unknown":
            message = f"the scheduler of {self.place.site.name} does not answer: {state.silent}"
            raise RunError(message, "nothing was submitted; run the same command again")
        if state.alive or self._is_young(latest):
            return self._join(state, latest)
        self.submissions.go_on()
        fold = self.context.fold()
        finished = fold.size - fold.counts["MISSING"]
        pending = find_pending(self.context, fold, self.reporter)
        if pending is None:
            return Submitted(submission=None, finished_before=finished)
        write_run_files(self.context, pending.identity)
        unchecked = run_study_checks(self.context, pending.identity, self.reporter)
        if self.submissions.cancelled:
            raise Stopped("cancelled during preparation; nothing was submitted")
        return Submitted(submission=self._first_wave(pending, unchecked=unchecked), finished_before=finished)

    def _settled_state(self) -> RunJobState:
        """Return the state of the run's jobs; wait until the jobs of a stopped run have ended."""
        give_up = time.monotonic() + ENDING_SECONDS
        while True:
            state = job_state(self.run, self.queue, self.queue.jobs(0))
            ending = self.submissions.cancelled or self.submissions.stopped() is not None
            if not (state.alive and ending):
                return state
            if time.monotonic() > give_up:
                raise RunError(
                    f"jobs of this run are still ending: {job_state_line(state)}",
                    "run the same command again when they have ended",
                )
            time.sleep(min(5.0, self.place.site.poll))

    def _is_young(self, latest: Submission | None) -> bool:
        return (
            latest is not None
            and not latest.job
            and not latest.refused
            and self.submissions.stopped() is None
            and time.time() - latest.intended < YOUNG_SECONDS
        )

    def _join(self, state: RunJobState, latest: Submission | None) -> Submitted:
        if self.context.options.fresh or self.context.options.retry is not None:
            raise RunError(
                f"jobs of this run are queued or running at {self.place.site.name}",
                f"packhorse cancel {self.run.argument}, or wait until they have ended",
            )
        self.reporter.say(f"this run is under way: {job_state_line(state)}")
        self.reporter.say("Later changes apply to the next run.")
        submission = latest and self._completed(latest, state)
        return Submitted(submission=submission, joined=True)

    def _completed(self, latest: Submission, state: RunJobState) -> Submission:
        """Complete a submission whose reply was lost, so that the run continues without this command."""
        submitter = Submitter(self.store, self.queue, self.reporter)
        if not latest.job:
            job = submitter.find(latest.token)
            return submitter.confirm(latest, job) if job else latest
        if not latest.continuation and not state.follows and self.place.site.compute_submits:
            latest = submitter.submit_continuation(latest)
        return latest if latest.released else submitter.release(latest)

    def _first_wave(self, pending: PendingTasks, *, unchecked: bool) -> Submission:
        """Plan, render and submit the first wave of this call; the continuation submits later ones."""
        study, asked, context = self.context.study, self.place.asked, self.context
        proposal = propose(study, self.place, count(pending.ranges), pending.fold)
        for note in proposal.notes:
            self.reporter.say(note)
        if self.store.remote_folder:  # first what may not fit there: nothing is planned before it has arrived
            self.setup.upload_data(context.source, context.prepared.data, self.reporter)
        self.submissions.save_cluster(
            ClusterRun(
                site=self.place.site,
                user=self.queue.user,
                partition=proposal.shape.partition,
                mail=asked.mail,
                folder=self.store.remote_folder,
                python=self.store.remote_python,
                chosen=self.place.options,
            )
        )
        plan = start_wave(context, pending, slots=proposal.shape.at_a_time, unchecked=unchecked)
        caps = Caps(core_hours=asked.max_core_hours, waves=WAVES)
        request = proposal.request(self.place, study)
        render(self.store, self.place, self.queue.dialect, request, proposal, caps)
        intent = self._intent(plan.wave, proposal)
        self.submissions.keep(intent)  # before the plan, without which the wave does not exist
        write_wave(context, plan)
        self.store.upload_changes(self.reporter.say)
        extra_waves = EXTRA_WAVES + proposal.cost.waves - 1
        sent = Submitter(self.store, self.queue, self.reporter, extra_waves=extra_waves).submit(intent)
        if not sent.job:
            self.reporter.warn("Submission not confirmed; run this command again to check.")
        self.reporter.say(f"submitted {f'job {sent.job}' if sent.job else 'a job'}: {proposal.sentence()}")
        return sent

    def _intent(self, wave: int, proposal: Proposal) -> Submission:
        shape, rung = proposal.shape, proposal.rungs[0]
        return Submission(
            wave=wave,
            site=self.place.site.name,
            scheduler=self.place.site.scheduler,
            token=token_of(self.run.about().id, wave),
            rung=rung.name,
            partition=shape.partition,
            elements=shape.elements,
            slots=rung.slots,
            cores=rung.cores,
            memory=rung.memory,
            seconds=rung.seconds,
        )

    def detached(self, submitted: Submitted) -> Detached:
        """Return what `--detach` prints."""
        return Detached(
            run=str(self.run.path),
            name=self.context.study.name,
            site=self.place.site.name,
            job=submitted.submission.job if submitted.submission else "",
            tasks=self.context.space.size,
            joined=submitted.joined,
        )

    def follow(self, submitted: Submitted, began: float) -> Outcome:
        """Follow the run to its end and merge its table; raise Stopped on Ctrl-C, which the run survives."""
        try:
            end = Monitor(self.store, self.queue, self.reporter).follow()
        except KeyboardInterrupt:
            name = self.run.path.name
            raise Stopped(
                f"the run continues at {self.place.site.name} without this command",
                f"packhorse status {name}; packhorse cancel {name}; the same run command follows it again",
            ) from None
        return self.close(submitted, end, began)

    def close(self, submitted: Submitted, end: WaveEnd | None, began: float) -> Outcome:
        """Download what is new, merge the table and report the run."""
        with RunLock(self.run.path, patience=LOCK_SECONDS, wait=True):
            with self.store.open():
                self.store.fetch_records()
                left = self.store.fetch_artifacts(ANNOUNCE_BYTES)
            if left:
                self.reporter.say(left)
            if end is None or end.how is EndReason.DONE:
                # One lease of each wave is left, so that a late element finds every task claimed.
                for plan in self.run.plans():
                    close_leases(self.run.path / "waves" / str(plan.wave) / "leases", plan.tasks)
            outcome = report_run(self.context, end, finished_before=submitted.finished_before, began=began)
            if self.context.options.everything and end is not None:
                self.reporter.output(task_output(self.run, outcome.report.fold, 0), error=False)
            return outcome


def task_output(run: RunDirectory, fold: Fold, index: int) -> bytes:
    """Return what a task printed beside its result, without the title line of the log."""
    title, _, text = log_of(run, fold, index).partition("\n")
    return text.encode() if title.startswith("== task") else b""


def submit_run(
    source: Source, options: RunOptions, place: Place, reporter: Reporter
) -> tuple[SiteExecution, Submitted]:
    """Set up a site and submit what is missing of a study, under the run's lock."""
    run = open_run(options.run or source.folder / "runs" / source.study.name, source)
    transport = transport_for(place.site)
    queue = Queue(place.site, transport)
    with RunLock(run.path, patience=LOCK_SECONDS, wait=True), transport.open():
        setup = set_up_site(source, place, run, transport, reporter)
        before = Submissions(run).cluster()
        if before is not None and before.site.name != place.site.name:
            stays = leave_site(run)  # first, as it downloads what finished there
            if stays:
                reporter.say(stays)
        context = prepare_run(source, options, run, setup.target, reporter)
        execution = SiteExecution(context, setup, queue, reporter)
        return execution, execution.submit()
