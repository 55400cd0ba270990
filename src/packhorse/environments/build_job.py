"""Building an environment in a job, on sites where a login node is no place to build."""

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
Builds an environment for a Packhorse run: what is installed is in orders.json beside this file.
The environment is used by all later runs with the same lock."""


class JobBuilds:
    """Builds in jobs of one site."""

    def __init__(self, ground: SiteProbe, seconds: int) -> None:
        self.ground, self.seconds = ground, seconds
        self.dialect = scheduler(ground.site.scheduler)
        self._asked = 0.0

    def submit(self, claim: str, argv: Sequence[str]) -> str:
        """Submit the job in which an environment is built, and return its number; raise RunError where the site refuses."""
        text = self._script(claim, argv)
        with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
            path = Path(folder) / "job.sh"
            path.write_text(text, encoding="utf-8")
            path.chmod(0o700)
            upload_files(self.ground.session, claim, [("job.sh", path, 0)])
        words = tuple(self.dialect.submit_argv(f"{claim}/job.sh", [], self._request(claim)))
        command = Command(argv=words, timeout=SUBMIT_SECONDS, unset=self.dialect.unset)
        said = self.dialect.read_submission(self.ground.there.run_command(command))
        if isinstance(said, Submitted):
            return said.job
        what = (
            "refuses the job that builds the environment"
            if isinstance(said, SubmissionRefused)
            else "did not answer"
        )
        raise RunError(f"{self.ground.site.name} {what}: {said.why}", "the same command tries again")

    def is_over(self, job: str) -> bool:
        """Tell whether a job neither waits nor runs; the scheduler is asked as seldom as the site allows."""
        now = time.monotonic()
        if now - self._asked < self.ground.site.poll:
            return False
        self._asked = now
        said = run_dialogue(self.dialect.jobs(self.ground.there.user), self.ground.there.run_command)
        return not isinstance(said, NoReply) and all(one.job != job or one.state == "GONE" for one in said)

    def _request(self, claim: str) -> Request:
        site, asked = self.ground.site, self.ground.place.asked
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
        site, asked = self.ground.site, self.ground.place.asked
        loads = [
            f"{site.modules.load} {shlex.quote(name)}" for name in (*self.ground.modules, *asked.modules)
        ]
        head = self.dialect.directives(self._request(claim))
        return job_script(head, ABOUT, [*loads, *asked.setup], argv, (*site.setup, *site.modules.setup))
