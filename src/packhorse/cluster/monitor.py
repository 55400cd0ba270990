"""Following a run on a batch system to its end; nothing depends on anybody doing so."""

from __future__ import annotations

import time

from msgspec.structs import replace

from packhorse.cluster.job_state import RunJobState, job_state, job_state_line
from packhorse.cluster.queue import Queue
from packhorse.cluster.submit_wave import Submitter
from packhorse.model.command import Command
from packhorse.model.errors import Unreachable
from packhorse.model.submission import StopRecord, Submission
from packhorse.project.background_import import import_in_background
from packhorse.project.reporter import Progress, Reporter
from packhorse.remote.run_store import RunStore
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundata.progress import EndReason, WaveEnd, run_counts
from packhorse.rundir.submissions import Submissions
from packhorse.text.amounts import span

SOON_SECONDS = 0.1  # between two looks at the journals, at first
LOOK_SECONDS = 1.0  # the same, later
LOOK_SHARE = 0.05  # of the time that a run has taken: so much longer may looking make it
SETTLE_SECONDS = 30.0  # after a submission, before its absence from the queue means anything
CONTINUE_SECONDS = 120.0  # what a continuation may take when it runs here
RESUBMITS = 2
LOST_SECONDS = 3600.0  # for the user to log in again


class StillRunning(Exception):  # noqa: N818 - a state to tell, not a mistake of somebody
    """Nobody looks any more, and the run goes on; its argument is how long it was looked at."""


class Monitor:
    """Watches one run until it is over, and does what its continuation would where that is gone."""

    def __init__(self, store: RunStore, queue: Queue, reporter: Reporter) -> None:
        self.store, self.queue, self.reporter = store, queue, reporter
        self.run = store.run
        self.kept = Submissions(self.run, store)
        self.begun = time.monotonic()
        self.began_with: tuple[int, int] | None = None
        self.gone: list[float] = []  # when the scheduler was asked and knew no job of ours
        self.told = ""
        self.lost = 0.0  # since when the site cannot be asked
        self.resubmitted = 0
        self.continued = 0  # the wave whose continuation ran here

    def follow(self) -> WaveEnd:
        """Watch until the run is over; KeyboardInterrupt leaves it running."""
        import_in_background("polars")
        try:
            while True:
                end = self._look_there()
                if end is not None:
                    return end
                self._check_idle()
                time.sleep(self._pause())
        finally:
            self.show()
            self.reporter.finished()

    def _pause(self) -> float:
        """Return the seconds to the next look: at a run elsewhere each is a round trip, and so as rare as questions."""
        poll = self.queue.site.poll
        return poll_pause(time.monotonic() - self.begun, poll) if self.store.cheap_to_poll else poll

    def _look_there(self) -> WaveEnd | None:
        """Look in one session, in which what is new comes together with the scheduler's answer.

        A laptop sleeps, and a connection ends: the run does not need it, and it is waited for.
        """
        try:
            with self.store.open():
                self.store.refresh(self.queue.announced)
                end = self._look()
        except Unreachable as error:
            self._wait_for_login(error)
            return None
        if self.lost:
            self.reporter.say(f"{self.queue.site.name} answers again")
        self.lost = 0.0
        return end

    def _wait_for_login(self, error: Unreachable) -> None:
        """Say once that nobody answers, and give up after an hour."""
        if not self.lost:
            self.lost = time.monotonic()
            self.reporter.warn(
                f"{error.message}; the run goes on without it. {error.hint}. This command goes on then"
            )
        if time.monotonic() - self.lost > LOST_SECONDS:
            raise error

    def _check_idle(self) -> None:
        """Stop asking when the site would have closed a login that nobody uses: asking for ever would defeat that."""
        idle = self.queue.transport.idle_limit
        if idle and time.monotonic() - self.begun > idle:
            raise StillRunning(span(idle))

    def _look(self) -> WaveEnd | None:
        self.show()
        stopped = self.kept.stopped()
        if stopped is not None:
            return wave_end(stopped)
        if self._all_ok():
            self._dismiss()
            return wave_end(StopRecord(why="done"))
        found = job_state(self.run, self.queue, self.queue.jobs())
        self._tell(found)
        latest = self.kept.latest()
        if latest is None:
            return wave_end(StopRecord(why="cancelled", text="its newest wave is not of a batch system"))
        if found.alive or found.state == "unknown":
            self.gone.clear()
            if found.alive:
                self._complete(latest, found)
            return None
        return self._absent(latest, found)

    def _tell(self, found: RunJobState) -> None:
        said = job_state_line(replace(found, start=""))  # what is expected changes all the time
        if said != self.told and found.state != "gone":
            self.reporter.say(job_state_line(found))
            self.told = said

    def _complete(self, latest: Submission, found: RunJobState) -> None:
        """Write down what was not known when a wave was submitted, now that the scheduler shows it."""
        if latest.job or found.wave != latest.wave:
            return
        ours = self.queue.jobs().of(self.run.about().id)
        job = next((job.job for wave, following, job in ours if wave == latest.wave and not following), "")
        if job:
            Submitter(self.store, self.queue, self.reporter).learned(latest, job)

    def _absent(self, latest: Submission, found: RunJobState) -> WaveEnd | None:
        """Decide what it means that no job of ours is to be seen."""
        if not self.gone or found.asked > self.gone[-1]:
            self.gone.append(found.asked)
        since = time.time() - max(latest.submitted, latest.intended)
        apart = self.gone[-1] - self.gone[0]
        if len(self.gone) < 2 or apart < self.queue.site.latency or since < SETTLE_SECONDS:
            return None
        self.gone.clear()
        if self.kept.cancelled:
            return wave_end(StopRecord(why="cancelled", text="packhorse cancel"))
        if not latest.job and not self._started(latest):
            return self._resubmit(latest)
        if self.continued == latest.wave:
            text = "its jobs are gone, and nothing could be submitted in their place"
            return wave_end(StopRecord(why="refused", text=text))
        self.continued = latest.wave
        self.reporter.say("the jobs of this wave are gone; looking for what they left missing")
        self.go_on(latest)
        return None

    def go_on(self, latest: Submission) -> None:
        """Do here what the continuation does in its job."""
        there = self.store.path
        argv = [self.store.python, "-S", "-E", f"{there}/worker.pyz", "continue", there, str(latest.wave)]
        answer = self.queue.ask(
            Command(argv=(*argv, "--seconds", str(int(CONTINUE_SECONDS))), timeout=CONTINUE_SECONDS + 30)
        )
        self.queue.shared.forget()
        for row in (answer.stdout or answer.stderr).splitlines():
            self.reporter.say(row)

    def _resubmit(self, latest: Submission) -> WaveEnd | None:
        """Submit a wave again that nobody knows of; should both come to run, the second finds the first's mark."""
        if self.resubmitted >= RESUBMITS:
            return wave_end(StopRecord(why="refused", text="the scheduler never showed the job"))
        self.resubmitted += 1
        self.reporter.warn("the scheduler does not know the job; submitting it again")
        Submitter(self.store, self.queue, self.reporter).wave(latest)
        return None

    def _started(self, latest: Submission) -> bool:
        return (self.run.path / "waves" / str(latest.wave) / "owner").exists()

    def _all_ok(self) -> bool:
        """Tell whether every task has a result; the ends of journals say when to look closely."""
        plan = self.run.latest()
        if plan is None:
            return False
        if run_counts(self.run, plan).done < plan.total:
            return False
        self.store.fetch_records()
        return latest_outcomes(self.run).fold.counts["OK"] >= plan.total

    def _dismiss(self) -> None:
        """Cancel what would find nothing to do: elements that still wait, and the continuation unless it sends mail.

        By their tokens: after a crash the scheduler may have given a number to another job.
        """
        cluster = self.kept.cluster()
        mail = cluster is not None and bool(cluster.mail)
        ours = self.queue.jobs().of(self.run.about().id)
        useless = {job.job for _, following, job in ours if job.state != "GONE" and not (following and mail)}
        self.queue.cancel(sorted(useless))

    def show(self) -> None:
        """Tell how far the run is."""
        plan = self.run.latest()
        if plan is None:
            return
        counts = run_counts(self.run, plan)
        if self.began_with is None:
            self.began_with = counts.done, counts.failed
        self.reporter.progress(
            Progress(
                total=counts.total,
                done=counts.done,
                failed=counts.failed,
                started_with=sum(self.began_with),
                seconds=time.monotonic() - self.begun,
            )
        )


def poll_pause(taken: float, poll: float) -> float:
    """Return the seconds to the next look at a run of so many seconds; `poll` is its site's interval."""
    return min(max(SOON_SECONDS, LOOK_SHARE * taken), LOOK_SECONDS, poll)


def wave_end(stopped: StopRecord) -> WaveEnd:
    """Return the end of a run from what its continuation wrote."""
    return WaveEnd(EndReason(stopped.why), stopped.text)
