"""Running a study on a site: plan what is missing, submit it, follow it, fold, merge, and say how it went."""

from __future__ import annotations

import time

from packhorse.cluster.job_scripts import Caps, render
from packhorse.cluster.job_state import JobState, job_state, job_state_line
from packhorse.cluster.monitor import Monitor
from packhorse.cluster.queue import Queue
from packhorse.cluster.submit_wave import Submitter
from packhorse.execution.leave_site import leave_site
from packhorse.execution.run_model import Detached, OnSite, Options, Outcome, Todo
from packhorse.execution.runner import Runner, open_run
from packhorse.execution.site_setup import arrive
from packhorse.model.errors import RunError, Stopped
from packhorse.model.submission import ClusterRun, Submission, token_of
from packhorse.plan.waves import count
from packhorse.project.placement import Place, Proposal, propose
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.remote.run_store import ANNOUNCE_BYTES, LocalRunStore, RunStore
from packhorse.remote.transport import SshTransport, transport_for
from packhorse.results.fold import Fold
from packhorse.rundata.progress import WaveEnd
from packhorse.rundata.task_log import log_of
from packhorse.rundir.directory import RunDirectory, close_leases
from packhorse.rundir.lock import RunLock
from packhorse.rundir.submissions import Submissions

LOCK_SECONDS = 120.0  # submission, on a busy scheduler, by another `run` on the same run


WAVES = 100  # more of them have gone wrong, whatever it was


ENDING_SECONDS = 60.0  # for the jobs of a run that was stopped to end


YOUNG_SECONDS = 60.0  # a submission whose job nobody has seen yet may still come to be


class SiteRunner:
    """One call of `run --site` on one run directory."""

    def __init__(self, source: Source, options: Options, place: Place, reporter: Reporter) -> None:
        self.source, self.options, self.place, self.reporter = source, options, place, reporter
        self.run: RunDirectory = open_run(options.run or source.folder / "runs" / source.study.name, source)
        self.transport = transport_for(place.site)
        self.queue = Queue(place.site, self.transport)
        self.store: RunStore = LocalRunStore(self.run, self.transport)
        self.kept = Submissions(self.run)

    def submit(self) -> tuple[Runner, Submission | None, bool]:
        """Submit what is missing, or join what is under way.

        Return the run, its newest submission (None where nothing is left to run) and whether it was under way.
        Raises RunError where the scheduler is silent or refuses, or the plan does not fit the site.
        """
        with RunLock(self.run.path, patience=LOCK_SECONDS, wait=True) as lock, self.transport.open():
            site = self._settle_there()
            before = self.kept.cluster()
            if before is not None and before.site.name != self.place.site.name:
                stays = leave_site(self.run)  # first, as it brings what has come to be there
                if stays:
                    self.reporter.say(stays)
            runner = Runner(self.source, self.options, self.reporter, self.run, lock.descriptor, site)
            runner.attached = False
            found = self._settled()
            latest = self.kept.latest()
            if found.state == "unknown":
                message = f"the scheduler of {self.place.site.name} does not answer: {found.silent}"
                raise RunError(message, "nothing was submitted; the same command tries again")
            if found.alive or self._young(latest):
                return self._join(runner, found, latest)
            self.kept.go_on()
            todo = runner.begin()
            if todo is None:
                return runner, None, False
            if self.kept.cancelled:
                raise Stopped("cancelled while it was prepared; nothing was submitted")
            return runner, self._first_wave(runner, todo), False

    def _settle_there(self) -> OnSite | None:
        """Say hello to a site that is reached over ssh, bring what the run has there, and see what tasks find."""
        if not isinstance(self.transport, SshTransport):
            return None
        site = arrive(self.source, self.place, self.run, self.transport, self.reporter)
        self.store, self.place = site.store, site.place
        self.kept = Submissions(self.run, self.store)
        return site

    def _settled(self) -> JobState:
        """Return how the run's jobs stand; those of a run that was stopped get time to end."""
        give_up = time.monotonic() + ENDING_SECONDS
        while True:
            found = job_state(self.run, self.queue, self.queue.jobs(0))
            ending = self.kept.cancelled or self.kept.stopped() is not None
            if not (found.alive and ending):
                return found
            if time.monotonic() > give_up:
                raise RunError(
                    f"jobs of this run are still ending: {job_state_line(found)}",
                    "the same command goes on when they are gone",
                )
            time.sleep(min(5.0, self.place.site.poll))

    def _whole(self, latest: Submission, found: JobState) -> Submission:
        """Complete a submission whose answer was lost, so that the run goes on without anybody."""
        submitter = Submitter(self.store, self.queue, self.reporter)
        if not latest.job:
            job = submitter.find(latest.token)
            return submitter.learned(latest, job) if job else latest
        if not latest.continuation and not found.follows and self.place.site.compute_submits:
            latest = submitter.follower(latest)
        return latest if latest.released else submitter.released(latest)

    def _young(self, latest: Submission | None) -> bool:
        return (
            latest is not None
            and not latest.job
            and not latest.refused
            and self.kept.stopped() is None
            and time.time() - latest.intended < YOUNG_SECONDS
        )

    def _join(
        self, runner: Runner, found: JobState, latest: Submission | None
    ) -> tuple[Runner, Submission | None, bool]:
        if self.options.fresh or self.options.retry is not None:
            raise RunError(
                f"jobs of this run wait or run at {self.place.site.name}",
                f"packhorse cancel {self.run.path}, or wait until it is over",
            )
        self.reporter.say(f"this run is under way: {job_state_line(found)}")
        self.reporter.say("what changed since it was submitted counts in the next one")
        return runner, latest and self._whole(latest, found), True

    def _first_wave(self, runner: Runner, todo: Todo) -> Submission:
        """Plan, render and submit the first wave of this call; later ones are the continuation's."""
        study, asked = self.source.study, self.place.asked
        proposal = propose(study, self.place, count(todo.ranges), todo.fold)
        for note in proposal.notes:
            self.reporter.say(note)
        if runner.site is not None:  # first what may not fit there: nothing is planned before it has come
            runner.site.send_data(self.source, runner.prepared.data, self.reporter)
            self.store.upload_changes(self.reporter.say)
        self.kept.save_cluster(
            ClusterRun(
                site=self.place.site,
                user=self.queue.user,
                partition=proposal.shape.partition,
                mail=asked.mail,
                folder=self.store.remote_folder,
                python=self.store.remote_python,
                chosen=self.place.said,
            )
        )
        plan = runner.plan(todo, proposal.shape.at_a_time)
        caps = Caps(core_hours=asked.max_core_hours, waves=WAVES)
        render(
            self.store,
            self.place,
            self.queue.dialect,
            proposal.request(self.place, study),
            proposal.rungs,
            caps,
        )
        intent = self._intent(plan.wave, proposal)
        self.kept.keep(intent)  # before the plan, without which the wave does not exist
        runner.write_wave(plan)
        self.store.upload_changes(self.reporter.say)
        submitter = Submitter(self.store, self.queue, self.reporter)
        submitter.waves_ahead += proposal.cost.waves - 1
        sent = submitter.wave(intent)
        if not sent.job:
            self.reporter.warn("nobody knows yet whether the job was taken; the same command looks again")
        self.reporter.say(f"submitted {sent.job or 'a job'}: {proposal.sentence()}")
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

    def detached(self, runner: Runner, sent: Submission, *, joined: bool) -> Detached:
        """Return what is told when nobody looks any more."""
        return Detached(
            run=str(self.run.path),
            name=self.source.study.name,
            site=self.place.site.name,
            job=sent.job,
            tasks=runner.space.size,
            joined=joined,
        )

    def follow(self, runner: Runner, begun: float) -> Outcome:
        """Follow the run to its end and merge its table."""
        try:
            end = Monitor(self.store, self.queue, self.reporter).follow()
        except KeyboardInterrupt:
            name = self.run.path.name
            raise Stopped(
                f"the run goes on at {self.place.site.name} without this command",
                f"packhorse status {name}; packhorse cancel {name}; the same run command follows it again",
            ) from None
        return self.close(runner, end, begun)

    def close(self, runner: Runner, end: WaveEnd | None, begun: float) -> Outcome:
        """Merge the table and say how the run stands."""
        with RunLock(self.run.path, patience=LOCK_SECONDS, wait=True):
            with self.store.open():
                self.store.fetch_records()
                stayed = self.store.fetch_artifacts(ANNOUNCE_BYTES)
            if stayed:
                self.reporter.say(stayed)
            if end is None or end.how == "done":
                self._tidy()
            outcome = runner.close(end, begun)
            if self.options.everything and end is not None:
                self.reporter.output(printed(self.run, outcome.report.fold, 0), error=False)
            return outcome

    def _tidy(self) -> None:
        """Leave one lease of each wave: a late element then finds everything taken."""
        for plan in self.run.plans():
            close_leases(self.run.path / "waves" / str(plan.wave) / "leases", plan.tasks)


def printed(run: RunDirectory, fold: Fold, index: int) -> bytes:
    """Return what a task printed beside its result, without the title that the log gives it."""
    title, _, text = log_of(run, fold, index).partition("\n")
    return text.encode() if title.startswith("== task") else b""
