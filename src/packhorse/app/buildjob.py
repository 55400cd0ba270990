"""Building an environment in a job, on sites where a login node is no place to build."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from packhorse.app.ground import Ground
from packhorse.model.command import Command
from packhorse.model.errors import RunError
from packhorse.model.job import Refused, Request, Submitted
from packhorse.model.study import Resources
from packhorse.plan.choice import choose, require
from packhorse.plan.work import Work
from packhorse.run.carrying import put
from packhorse.schedulers import scheduler
from packhorse.schedulers.script import job_script

MEMORY = 4096  # MiB; unpacking large wheels and compiling small packages
SUBMIT_SECONDS = 60.0
ABOUT = """\
Builds an environment for a Packhorse run: what is installed is in orders.json beside this file.
The environment is used by all later runs with the same lock."""


def submit_build(ground: Ground, claim: str, argv: Sequence[str], seconds: int) -> str:
    """Submit the job in which an environment is built, and return its number; raise RunError where the site refuses."""
    site, asked = ground.site, ground.place.asked
    dialect = scheduler(site.scheduler)
    work = Work(tasks=1, resources=Resources(cpus=1, memory=MEMORY, time=seconds))
    partition = require(choose(work, site, asked), site)
    request = Request(
        name="packhorse-environment",
        partition=partition.name,
        account=asked.account,
        qos=asked.qos,
        memory=MEMORY,
        seconds=seconds + 60,
        output=f"{claim}/job.out",
        requeue=False,
    )
    loads = [f"{site.modules.load} {shlex.quote(name)}" for name in (*ground.modules, *asked.modules)]
    lines = [*loads, *asked.setup]
    text = job_script(dialect.directives(request), ABOUT, lines, argv, (*site.setup, *site.modules.setup))
    with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
        path = Path(folder) / "job.sh"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o700)
        put(ground.session, claim, [("job.sh", path, 0)])
    words = tuple(dialect.submit(f"{claim}/job.sh", [], request))
    said = dialect.submitted(
        ground.there.ask(Command(argv=words, timeout=SUBMIT_SECONDS, unset=dialect.unset))
    )
    if isinstance(said, Submitted):
        return said.job
    what = "refuses the job that builds the environment" if isinstance(said, Refused) else "did not answer"
    raise RunError(f"{site.name} {what}: {said.why}", "the same command tries again")
