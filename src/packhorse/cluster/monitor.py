"""Monitor a run on a batch system to its end; the run does not depend on it."""

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

FIRST_POLL_SECONDS = 0.1  # between two readings of the journals, at first
LONGEST_POLL_SECONDS = 1.0  # the same, later
POLL_SHARE = 0.05  # of the elapsed time: the pause may delay the end of a run by so much
SETTLE_SECONDS = 30.0  # after a submission, until a job that the queue does not list counts as gone
CONTINUE_SECONDS = 120.0  # for a continuation that runs on the login node
RESUBMITS = 2
LOGIN_SECONDS = 3600.0  # for the user to log in again


class StillRunning(Exception):  # noqa: N818 - a state of the run, not an error
    """Monitoring has stopped and the run continues; the argument is for how long it was monitored."""


class Monitor:
    """Polls one run until it is over, and replaces its continuation where that is gone."""

    def __init__(self, store: RunStore, queue: Queue, reporter: Reporter) -> None:
        self.store, self.queue, self.reporter = store, queue, reporter
        self.run = store.run
        self.submissions = Submissions(self.run, store)
        self.started = time.monotonic()
        self.finished_before: int | None = None  # tasks
        self.absent: list[float] = []  # times of polls that listed no job of the run, Unix seconds
        self.last_line = ""
        self.unreachable_since = 0.0
        self.resubmitted = 0
        self.continued = 0  # the wave whose continuation ran on the login node

    def follow(self) -> WaveEnd:
        """Poll until the run is over; KeyboardInterrupt leaves it running.

        Raises StillRunning when the site's limit for idle logins is reached, and Unreachable where the site cannot be
        reached for LOGIN_SECONDS.
        """
        import_in_background("packhorse.results.load_polars")
        try:
            while True:
                end = self._poll()
                if end is not None:
                    return end
                self._check_idle_limit()
                time.sleep(self._pause())
        finally:
            self.report_progress()
            self.reporter.finished()

    def _pause(self) -> float:
        """Return the seconds to the next poll; where each is a round trip, the site's poll interval."""
        poll = self.queue.site.poll
        return poll_pause(time.monotonic() - self.started, poll) if self.store.cheap_to_poll else poll

    def _poll(self) -> WaveEnd | None:
        """Poll in one session, in which new files and the scheduler's reply share a round trip.

        Where the connection is lost, as when a laptop sleeps, the run continues, and this waits for a new login.
        """
        try:
            with self.store.open():
                self.store.refresh(self.queue.next_commands)
                end = self._check()
        except Unreachable as error:
            self._wait_for_login(error)
            return None
        if self.unreachable_since:
            self.reporter.say(f"connected to {self.queue.site.name} again")
        self.unreachable_since = 0.0
        return end

    def _wait_for_login(self, error: Unreachable) -> None:
        """Report a lost connection once; raise the error after LOGIN_SECONDS."""
        if not self.unreachable_since:
            self.unreachable_since = time.monotonic()
            self.reporter.warn(f"{error.message}; the run continues. To continue monitoring, {error.hint}")
        if time.monotonic() - self.unreachable_since > LOGIN_SECONDS:
            raise error

    def _check_idle_limit(self) -> None:
        """Raise StillRunning after the time at which the site closes idle logins; polling for longer would bypass it."""
        limit = self.queue.transport.idle_limit
        if limit and time.monotonic() - self.started > limit:
            raise StillRunning(span(limit))

    def _check(self) -> WaveEnd | None:
        self.report_progress()
        stopped = self.submissions.stopped()
        if stopped is not None:
            return wave_end(stopped)
        if self._all_ok():
            self._cancel_remaining()
            return wave_end(StopRecord(why="done"))
        state = job_state(self.run, self.queue, self.queue.jobs())
        self._report_state(state)
        latest = self.submissions.latest()
        if latest is None:
            return wave_end(
                StopRecord(why="cancelled", text="its newest wave was not submitted to a batch system")
            )
        if state.state == "following" and state.stuck:
            self._replace_continuation(latest, state)
            return None
        if state.alive or state.state == "unknown":
            self.absent.clear()
            if state.alive:
                self._confirm(latest, state)
            return None
        return self._handle_absence(latest, state)

    def _report_state(self, state: RunJobState) -> None:
        # Expected starts change with every poll, so they do not count as a change.
        line = job_state_line(replace(state, start=""))
        if line != self.last_line and state.state != "gone":
            self.reporter.say(job_state_line(state))
            self.last_line = line

    def _confirm(self, latest: Submission, state: RunJobState) -> None:
        """Record the job of a submission whose reply was lost, once the scheduler lists it."""
        if latest.job or state.wave != latest.wave:
            return
        jobs = self.queue.jobs().of(self.run.about().id)
        job = next((job.job for wave, following, job in jobs if wave == latest.wave and not following), "")
        if job:
            Submitter(self.store, self.queue, self.reporter).confirm(latest, job)

    def _handle_absence(self, latest: Submission, state: RunJobState) -> WaveEnd | None:
        """Handle a poll that lists no job of the run; only two such polls, `latency` apart, mean that they are gone."""
        if not self.absent or state.asked > self.absent[-1]:
            self.absent.append(state.asked)
        age = time.time() - max(latest.submitted, latest.intended)
        apart = self.absent[-1] - self.absent[0]
        if len(self.absent) < 2 or apart < self.queue.site.latency or age < SETTLE_SECONDS:
            return None
        self.absent.clear()
        if self.submissions.cancelled:
            return wave_end(StopRecord(why="cancelled", text="packhorse cancel"))
        if not latest.job and not (self.run.path / "waves" / str(latest.wave) / "owner").exists():
            return self._resubmit(latest)
        if self.continued == latest.wave:
            text = "its jobs are gone, and no further wave could be submitted"
            return wave_end(StopRecord(why="refused", text=text))
        self.continued = latest.wave
        self.reporter.say("the jobs of this wave are gone; looking for tasks without a result")
        self.run_continuation(latest)
        return None

    def _replace_continuation(self, latest: Submission, state: RunJobState) -> None:
        """Cancel a continuation that can never start, and do its work here."""
        jobs = ", ".join(state.stuck)
        self.reporter.warn(
            f"the job that submits the next wave ({jobs}) can never start: {state.reason}; this command does its work"
        )
        failure = self.queue.cancel(list(state.stuck))
        if failure:
            self.reporter.warn(f"job {jobs} was not cancelled ({failure})")
        self.run_continuation(latest)

    def run_continuation(self, latest: Submission) -> None:
        """Run the continuation of a wave on the login node."""
        folder = self.store.path
        argv = [self.store.python, "-S", "-E", f"{folder}/worker.pyz", "continue", folder, str(latest.wave)]
        answer = self.queue.ask(
            Command(argv=(*argv, "--seconds", str(int(CONTINUE_SECONDS))), timeout=CONTINUE_SECONDS + 30)
        )
        self.queue.shared.forget()
        for line in (answer.stdout or answer.stderr).splitlines():
            self.reporter.say(line)

    def _resubmit(self, latest: Submission) -> WaveEnd | None:
        """Submit a wave again that never appeared in the queue; should both arrays start, the first owns the wave."""
        if self.resubmitted >= RESUBMITS:
            return wave_end(StopRecord(why="refused", text="the job never appeared in the queue"))
        self.resubmitted += 1
        self.reporter.warn("the scheduler does not list the job; submitting it again")
        Submitter(self.store, self.queue, self.reporter).submit(latest)
        return None

    def _all_ok(self) -> bool:
        """Return whether every task has a result: by the ends of journals, and only then by all records."""
        plan = self.run.latest()
        if plan is None:
            return False
        if run_counts(self.run, plan).done < plan.total:
            return False
        self.store.fetch_records()
        return latest_outcomes(self.run, merged=False).fold.counts["OK"] >= plan.total

    def _cancel_remaining(self) -> None:
        """Cancel elements that are still queued, and the continuation unless it sends mail.

        Jobs are found by their tokens: after a crash the scheduler may have given a number to another job.
        """
        cluster = self.submissions.cluster()
        mail = cluster is not None and bool(cluster.mail)
        jobs = self.queue.jobs().of(self.run.about().id)
        useless = {job.job for _, following, job in jobs if job.state != "GONE" and not (following and mail)}
        self.queue.cancel(sorted(useless))

    def report_progress(self) -> None:
        """Report the progress of the run."""
        plan = self.run.latest()
        if plan is None:
            return
        counts = run_counts(self.run, plan)
        if self.finished_before is None:
            self.finished_before = counts.done + counts.failed
        self.reporter.progress(
            Progress(
                total=counts.total,
                done=counts.done,
                failed=counts.failed,
                started_with=self.finished_before,
                seconds=time.monotonic() - self.started,
            )
        )


def poll_pause(elapsed: float, poll: float) -> float:
    """Return the seconds to the next poll of a run on this file system; `poll` is its site's interval."""
    return min(max(FIRST_POLL_SECONDS, POLL_SHARE * elapsed), LONGEST_POLL_SECONDS, poll)


def wave_end(stopped: StopRecord) -> WaveEnd:
    """Return the end of a run from its stop record."""
    return WaveEnd(EndReason(stopped.why), stopped.text)
