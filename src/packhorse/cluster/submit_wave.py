"""Submit a wave and its continuation: intent is recorded before, fact after."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from packhorse.cluster.job_scripts import MAIL_BEGAN
from packhorse.cluster.queue import Queue
from packhorse.cluster.submit_job import AGAIN_SECONDS, SUBMIT_SECONDS, find_submitted_job, submit_job
from packhorse.model.command import Command
from packhorse.model.errors import RunError
from packhorse.model.job import SubmissionRefused
from packhorse.model.submission import Submission, token_of
from packhorse.project.reporter import Reporter
from packhorse.remote.run_store import RunStore
from packhorse.rundir.files import write_file
from packhorse.rundir.submissions import Submissions
from packhorse.text.amounts import counted
from packhorse.worker.waves.scheduler_commands import fill_command, placeholders

EXTRA_WAVES = 3  # waves to queue in advance beside the expected ones, where jobs may not submit jobs


class Submitter:
    """Submits the waves of one run to one site's scheduler."""

    def __init__(
        self, store: RunStore, queue: Queue, reporter: Reporter, *, extra_waves: int = EXTRA_WAVES
    ) -> None:
        self.store, self.queue, self.reporter = store, queue, reporter
        self.run = run = store.run
        self.submissions = Submissions(run, store)
        self.extra_waves = extra_waves
        self.templates = msgspec.json.decode((run.path / "waves" / "continue.json").read_bytes())

    def submit(self, intent: Submission) -> Submission:
        """Submit a planned wave and its continuation; raise RunError where the site refuses the wave."""
        fields = {"elements": intent.elements, "exclude": intent.exclude}
        script = self._script(intent.rung)
        argv = fill_command(
            self.templates["submit"], placeholders(script, intent.wave, intent.token, **fields)
        )
        self.store.make_log_folder()  # without it every element would fail at its start
        intent = replace(intent, argv=tuple(argv), intended=time.time())
        self.submissions.keep(intent)
        job = self._submit(argv, intent.token)
        if isinstance(job, SubmissionRefused):
            # No element of this wave can ever start, so the wave is removed.
            self.store.discard_wave(intent.wave)
            hint = f"packhorse plan --site {intent.site} shows the limits; then run the same command again"
            raise RunError(f"the site refuses the job: {job.why}", hint)
        return self.confirm(intent, job) if job else intent

    def confirm(self, intent: Submission, job: str) -> Submission:
        """Record a wave's job, submit its continuation, and release the wave."""
        confirmed = replace(intent, job=job, submitted=time.time())
        self.submissions.keep(confirmed)
        self._submit_mail(confirmed)
        if self.queue.site.compute_submits:
            return self.release(self.submit_continuation(confirmed))
        return self.release(*self.queue_later_waves(confirmed))

    def _submit_mail(self, wave: Submission) -> None:
        """Submit the job whose begin the scheduler mails: it starts when the first element of the wave has started."""
        path = self.run.path / "waves" / MAIL_BEGAN
        if not path.exists():
            return
        # OpenPBS has no arrays of one element, so that such a wave is a plain job; TORQUE's number shows the array.
        array = wave.elements > 1 or "[" in wave.job
        job = self.queue.dialect.element_of(wave.job, 0) if array else wave.job
        write_file(path, path.read_text(encoding="utf-8").replace("{job}", job), 0o700)
        self.store.upload(f"waves/{MAIL_BEGAN}")
        argv = self.queue.dialect.submit_script_argv(
            f"{self.store.path}/waves/{MAIL_BEGAN}", [], "packhorse-mail"
        )
        answer = self.queue.ask(
            Command(argv=tuple(argv), timeout=SUBMIT_SECONDS, unset=self.queue.dialect.unset)
        )
        if answer.status != 0:
            self.reporter.warn(
                f"no email at the begin: {answer.stderr.strip() or 'no reply from the scheduler'}"
            )

    def release(self, wave: Submission, *later: str) -> Submission:
        """Release a wave that was submitted on hold until its continuation was queued, and the jobs of later waves."""
        if not self.templates.get("release"):
            return wave
        for job in (wave.job, *later):
            error = self._release_job(fill_command(self.templates["release"], {"job": job}))
            if error:
                self.reporter.warn(
                    f"job {job} is on hold and was not released ({error}); packhorse run tries again"
                )
                return wave
        self.queue.shared.forget()
        released = replace(wave, released=time.time())
        self.submissions.keep(released)
        return released

    def _release_job(self, argv: Sequence[str]) -> str:
        """Return why a job could not be released, or an empty text."""
        command = Command(argv=tuple(argv), timeout=SUBMIT_SECONDS, unset=self.queue.dialect.unset)
        answer = self.queue.ask(command)
        for pause in AGAIN_SECONDS:
            if answer.status == 0:
                return ""
            time.sleep(pause)
            answer = self.queue.ask(command)
        return "" if answer.status == 0 else answer.stderr.strip() or "no reply"

    def _script(self, rung: str) -> str:
        return f"{self.store.path}/waves/job-{rung}.sh"

    def queue_later_waves(self, wave: Submission) -> tuple[Submission, *tuple[str, ...]]:
        """Submit later waves now, each dependent on the one before it, where a job may not submit jobs.

        Their elements plan what is missing when they start, and exit at once where nothing is. Return the wave, and the
        jobs of the later ones.
        """
        run_id, script = self.run.about().id, self._script(wave.rung)
        later: list[str] = []
        for number in range(wave.wave + 1, wave.wave + 1 + self.extra_waves):
            token = token_of(run_id, number)
            fields = {"elements": wave.elements, "job": [wave.job, *later][-1], "follows": number - 1}
            argv = fill_command(self.templates["submit"], placeholders(script, number, token, **fields))
            job = self._submit(argv, token)
            if isinstance(job, SubmissionRefused) or not job:
                reason = job.why if isinstance(job, SubmissionRefused) else "the reply was lost"
                self.reporter.warn(f"only {counted(number - 1, 'wave')} could be queued in advance: {reason}")
                break
            later.append(job)
        queued = replace(wave, continuation=later[0] if later else "")
        self.submissions.keep(queued)
        return queued, *later

    def submit_continuation(self, wave: Submission) -> Submission:
        """Submit the continuation of a wave; where the site refuses it, `packhorse run` takes its place."""
        if not self.templates["after"]:
            return wave
        token = token_of(self.run.about().id, wave.wave, following=True)
        script = f"{self.store.path}/waves/continue.sh"
        fields = placeholders(script, wave.wave, token, job=wave.job)
        job = self._submit(fill_command(self.templates["after"], fields), token)
        if isinstance(job, SubmissionRefused) and "dependency" in job.why.lower():
            # The scheduler may have forgotten a wave that has ended already; then there is no job to depend on.
            job = self._submit(fill_command(self.templates["after"], {**fields, "job": ""}), token)
        if isinstance(job, SubmissionRefused):
            self.reporter.warn(
                f"the site refuses the continuation job ({job.why}); packhorse run submits later waves instead"
            )
            return wave
        queued = replace(wave, continuation=job)
        self.submissions.keep(queued)
        return queued

    def _submit(self, argv: Sequence[str], token: str) -> str | SubmissionRefused:
        return submit_job(self.queue, argv, token, self.reporter)

    def find(self, token: str) -> str:
        """Look for a job by its token; return its number, or "" where it was not found."""
        return find_submitted_job(self.queue, token)
