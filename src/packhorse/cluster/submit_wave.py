"""Submitting a wave: intent before, fact after, and what to do when nobody knows."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from packhorse.cluster.queue import Queue
from packhorse.cluster.submit_job import AGAIN_SECONDS, SUBMIT_SECONDS, find_job, send_job
from packhorse.model.command import Command
from packhorse.model.errors import RunError
from packhorse.model.job import Refused
from packhorse.model.submission import Submission, token_of
from packhorse.project.reporter import Reporter
from packhorse.remote.run_store import RunStore
from packhorse.rundir.submissions import Submissions
from packhorse.worker.waves.scheduler_commands import fill_command, placeholders

AHEAD = 3  # waves to queue beforehand where jobs may not submit jobs, beside those that are expected


class Submitter:
    """Submits the waves of one run to one site's scheduler."""

    def __init__(self, store: RunStore, queue: Queue, reporter: Reporter) -> None:
        self.store, self.queue, self.reporter = store, queue, reporter
        self.run = run = store.run
        self.kept = Submissions(run, store)
        self.waves_ahead = AHEAD
        self.said = msgspec.json.decode((run.path / "waves" / "continue.json").read_bytes())

    def wave(self, intent: Submission) -> Submission:
        """Submit a planned wave and the job that follows it; raise RunError where the site refuses."""
        said = {"elements": intent.elements, "exclude": intent.exclude}
        argv = fill_command(
            self.said["submit"], placeholders(self._script(intent.rung), intent.wave, intent.token, **said)
        )
        self.store.make_logs()  # without it every element would fail at its start
        intent = replace(intent, argv=tuple(argv), intended=time.time())
        self.kept.keep(intent)
        job = self._submit(argv, intent.token)
        if isinstance(job, Refused):
            # Nothing of this wave can ever start, so it never was.
            self.store.forget_wave(intent.wave)
            hint = f"packhorse plan --site {intent.site} shows the limits; the same command tries again"
            raise RunError(f"the site refuses the job: {job.why}", hint)
        return self.learned(intent, job) if job else intent

    def learned(self, intent: Submission, job: str) -> Submission:
        """Write down a wave's job, submit the one that follows it, and let the wave start."""
        known = replace(intent, job=job, submitted=time.time())
        self.kept.keep(known)
        if self.queue.site.compute_submits:
            return self.released(self.follower(known))
        return self.released(*self.ahead(known))

    def released(self, wave: Submission, *later: str) -> Submission:
        """Let a wave start that was held back until something follows it, and those that are queued beforehand."""
        if not self.said.get("release"):
            return wave
        for job in (wave.job, *later):
            why = self._release(fill_command(self.said["release"], {"job": job}))
            if why:
                told = f"job {job} is held and could not be released ({why}); packhorse run tries again"
                self.reporter.warn(told)
                return wave
        self.queue.shared.forget()
        known = replace(wave, released=time.time())
        self.kept.keep(known)
        return known

    def _release(self, argv: Sequence[str]) -> str:
        """Return why a job could not be released, or nothing."""
        command = Command(argv=tuple(argv), timeout=SUBMIT_SECONDS, unset=self.queue.dialect.unset)
        answer = self.queue.ask(command)
        for pause in AGAIN_SECONDS:
            if answer.status == 0:
                return ""
            time.sleep(pause)
            answer = self.queue.ask(command)
        return "" if answer.status == 0 else answer.stderr.strip() or "no answer"

    def _script(self, rung: str) -> str:
        return f"{self.store.path}/waves/job-{rung}.sh"

    def ahead(self, wave: Submission) -> tuple[Submission, *tuple[str, ...]]:
        """Queue later waves now, each behind the one before it, where a job may not submit jobs.

        Their elements plan for themselves what is missing when they start, and end at once where nothing is.
        Return the wave, and the jobs of the later ones.
        """
        run_id, script = self.run.about().id, self._script(wave.rung)
        later: list[str] = []
        for number in range(wave.wave + 1, wave.wave + 1 + self.waves_ahead):
            token = token_of(run_id, number)
            said = {"elements": wave.elements, "job": [wave.job, *later][-1], "follows": number - 1}
            job = self._submit(
                fill_command(self.said["submit"], placeholders(script, number, token, **said)), token
            )
            if isinstance(job, Refused) or not job:
                why = job.why if isinstance(job, Refused) else "its answer was lost"
                self.reporter.warn(f"no more than {number - 1} waves could be queued beforehand: {why}")
                break
            later.append(job)
        known = replace(wave, continuation=later[0] if later else "")
        self.kept.keep(known)
        return known, *later

    def follower(self, wave: Submission) -> Submission:
        """Submit the job that runs when a wave has ended; without it the wave is only watched."""
        token = token_of(self.run.about().id, wave.wave, following=True)
        script = f"{self.store.path}/waves/continue.sh"
        filling = placeholders(script, wave.wave, token, job=wave.job)
        job = self._submit(fill_command(self.said["after"], filling), token)
        if isinstance(job, Refused):
            # The wave may be over already and forgotten, and then there is nothing to wait for.
            job = self._submit(fill_command(self.said["after"], {**filling, "job": ""}), token)
        if isinstance(job, Refused):
            self.reporter.warn(
                f"the job that would go on by itself was refused ({job.why}); packhorse run goes on instead"
            )
            return wave
        known = replace(wave, continuation=job)
        self.kept.keep(known)
        return known

    def _submit(self, argv: Sequence[str], token: str) -> str | Refused:
        """Return the job's number, or "" where nobody knows it yet."""
        return send_job(self.queue, argv, token, self.reporter)

    def find(self, token: str) -> str:
        """Look for a job by its token; return its number, or "" while it is not to be found."""
        return find_job(self.queue, token)
