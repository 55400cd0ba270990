"""Open a shell at a site: on its login node, or inside a job."""

from __future__ import annotations

import platform
import shlex
import shutil
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.errors import RunError, UsageError
from packhorse.model.job import Request
from packhorse.model.site import Site
from packhorse.model.study import Cluster, Resources
from packhorse.plan.choice import choose
from packhorse.plan.fit import limits
from packhorse.plan.work import Work
from packhorse.project.sites import find_site
from packhorse.remote.connection import site_login
from packhorse.schedulers import scheduler
from packhorse.ssh import shells
from packhorse.ssh.login import Login
from packhorse.text import units

DETACHED = shells.DETACHED
HOUR = 3600  # the default time of a job


class ShellOptions(Struct, frozen=True, kw_only=True):
    """The options of an interactive job; None: not given."""

    cores: int | None = None
    memory: str | None = None
    gpus: int = 0
    time: str | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None


class JobShell(Struct, frozen=True, kw_only=True):
    """An interactive job to start: the site, the login (None: this is its login node), and the argv."""

    site: Site
    login: Login | None
    argv: tuple[str, ...]

    @property
    def line(self) -> str:
        """The equivalent command on the login node."""
        return shlex.join(self.argv)


def shell(name: str, folder: Path) -> int:
    """Open a shell on the login node; return its exit status."""
    site, login = site_login(name, folder)
    shells.check_terminal("a shell")
    return shells.login_shell(login, site.sessions)


def prepare(name: str, folder: Path, options: ShellOptions) -> JobShell:
    """Return an interactive job to start; raise UsageError with every reason where it fits no partition."""
    site, login = _login(name, folder)
    argv = scheduler(site.scheduler).interactive_argv(request_of(site, options))
    return JobShell(site=site, login=login, argv=tuple(argv))


def enter(job: JobShell) -> int:
    """Submit the job, wait for it, and open its shell; return its exit status."""
    shells.check_terminal("an interactive job")
    again = f"packhorse shell {job.site.name} --attach"
    try:
        status = shells.job_shell(job.login, job.site.sessions, job.argv)
    except RunError as error:
        raise RunError(
            error.message, f"{error.hint}\nprograms in tmux or screen still run: {again}"
        ) from None
    if status == shells.OPEN:
        raise RunError("you have an open interactive job already", f"{again} returns to it")
    return status


def attach(name: str, folder: Path) -> tuple[Site, int]:
    """Reattach to the interactive job; return the site and the exit status."""
    site, login = _login(name, folder)
    shells.check_terminal("an interactive job")
    status = shells.attach(login, site.sessions)
    if status == shells.NONE:
        raise RunError(
            f"there is no interactive job on {site.name}", f"packhorse shell {site.name} --job starts one"
        )
    if status == shells.ELSEWHERE:
        raise RunError(
            f"the interactive job is on another login node of {site.name}",
            f"packhorse shell {site.name}; there: ssh to the node named above, then tmux attach",
        )
    return site, status


def _login(name: str, folder: Path) -> tuple[Site, Login | None]:
    """Return a site and the login to it; None where the scheduler's commands are on this machine."""
    site = find_site(name, folder)
    here = site.has_login(platform.node())
    if site.scheduler != "local" and (here or (not site.login and _has_programs(site))):
        return site, None
    return site_login(name, folder)


def _has_programs(site: Site) -> bool:
    """Return whether this machine has the programs of the site's scheduler."""
    return all(shutil.which(program) for program in scheduler(site.scheduler).programs)


def request_of(site: Site, options: ShellOptions) -> Request:
    """Return the request of the job, with a partition; raise UsageError where it fits none."""
    resources = Resources(
        cpus=options.cores or 1,
        memory=None if options.memory is None else units.memory(options.memory, "--memory"),
        gpus=options.gpus,
    )
    seconds = None if options.time is None else int(units.duration(options.time, "--time"))
    asked = Cluster(
        partition=options.partition or "",
        account=options.account or "",
        qos=options.qos or "",
        job_time=seconds,
    )
    work = Work(tasks=1, resources=resources)
    interactive_ones = (
        partition
        for partition in site.partitions
        if "interactive" in partition.purpose and not partition.by_request
    )
    fitting = next((one.name for one in interactive_ones if not limits(work, one, asked)), "")
    chosen = choose(work, site, replace(asked, partition=asked.partition or fitting))
    if chosen.partition is None:
        reasons = "; ".join(dict.fromkeys(reason.text for reason in chosen.reasons))
        advice = "; ".join(dict.fromkeys(reason.advice for reason in chosen.reasons if reason.advice))
        raise UsageError(
            f"this job does not fit {site.name}: {reasons}", advice or f"packhorse sites show {site.name}"
        )
    most = chosen.partition.max_time
    return Request(
        name="packhorse-shell",
        partition=chosen.partition.name,
        account=asked.account,
        qos=asked.qos,
        cores=resources.cpus,
        memory=resources.memory,
        gpus=resources.gpus,
        gres=chosen.partition.gres,
        seconds=seconds or (HOUR if most is None else min(HOUR, most)),
        whole_nodes=chosen.partition.whole_nodes,
        requeue=None,
    )
