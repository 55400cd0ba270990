"""Build an environment in a job, on sites whose login nodes must not be used for that."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from packhorse.environments.site_probe import SiteProbe
from packhorse.model.command import Command
from packhorse.model.errors import RunError
from packhorse.model.job import Request, SubmissionRefused, Submitted
from packhorse.model.study import Resources
from packhorse.plan.choice import choose, require
from packhorse.plan.work import Work
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.script import job_script
from packhorse.ssh.file_transfer import upload_files

MEMORY = 4096  # MiB; unpacking large wheels and compiling small packages
SUBMIT_SECONDS = 60.0
ABOUT = """\
Builds an environment for a Packhorse run; orders.json in the folder of this file lists what is installed.
All later runs with the same lock use the environment."""


class JobBuilds:
    """Jobs of one site that build environments, for at most `seconds` each."""

    def __init__(self, probe: SiteProbe, seconds: int) -> None:
        self.probe, self.seconds = probe, seconds
        self.dialect = scheduler(probe.site.scheduler)
        self._asked = 0.0

    def submit(self, claim: str, argv: Sequence[str]) -> str:
        """Submit the job that builds an environment, and return its number; raise RunError where that fails."""
        text = self._script(claim, argv)
        with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
            path = Path(folder) / "job.sh"
            path.write_text(text, encoding="utf-8")
            path.chmod(0o700)
            upload_files(self.probe.session, claim, [("job.sh", path, 0)])
        submit = tuple(self.dialect.submit_argv(f"{claim}/job.sh", [], self._request(claim)))
        command = Command(argv=submit, timeout=SUBMIT_SECONDS, unset=self.dialect.unset)
        reply = self.dialect.read_submission(self.probe.ssh.run_command(command))
        if isinstance(reply, Submitted):
            return reply.job
        site = self.probe.site.name
        if isinstance(reply, SubmissionRefused):
            message = f"{site} refuses the job that builds the environment: {reply.why}"
        else:
            message = f"no reply from the scheduler of {site}: {reply.why}"
        raise RunError(message, "run the same command again")

    def is_over(self, job: str) -> bool:
        """Return whether a job is no longer queued or running; between polls, return False."""
        now = time.monotonic()
        if now - self._asked < self.probe.site.poll:
            return False
        self._asked = now
        reply = run_dialogue(self.dialect.jobs(self.probe.ssh.user), self.probe.ssh.run_command)
        if isinstance(reply, NoReply):
            return False
        return all(other.job != job or other.state == "GONE" for other in reply)

    def _request(self, claim: str) -> Request:
        site, asked = self.probe.site, self.probe.place.asked
        work = Work(tasks=1, resources=Resources(cpus=1, memory=MEMORY, time=self.seconds))
        partition = require(choose(work, site, asked), site)
        return Request(
            name="packhorse-environment",
            partition=partition.name,
            account=asked.account,
            qos=asked.qos,
            memory=MEMORY,
            seconds=self.seconds + 60,
            output=f"{claim}/job.out",
            requeue=False,
        )

    def _script(self, claim: str, argv: Sequence[str]) -> str:
        site, asked = self.probe.site, self.probe.place.asked
        loads = [f"{site.modules.load} {shlex.quote(name)}" for name in (*self.probe.modules, *asked.modules)]
        head = self.dialect.directives(self._request(claim))
        return job_script(head, ABOUT, [*loads, *asked.setup], argv, (*site.setup, *site.modules.setup))
