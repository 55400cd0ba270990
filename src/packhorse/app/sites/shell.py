"""A shell at a site: on its login node, or inside a job whose partition and GPUs are filled in from the site."""

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
from packhorse.remote.connection import login_of
from packhorse.schedulers import scheduler
from packhorse.ssh import shells
from packhorse.ssh.login import Login
from packhorse.text import units

DETACHED = shells.DETACHED
HOUR = 3600  # of a job for which nobody said how long it shall be


class ShellOptions(Struct, frozen=True, kw_only=True):
    """What a user asks of an interactive job, in the words of the command line; None is not said."""

    cores: int | None = None
    memory: str | None = None
    gpus: int = 0
    time: str | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None


class JobShell(Struct, frozen=True, kw_only=True):
    """A shell in a job that could be had now: the site, the way there (None: this is its login node), the argv."""

    site: Site
    login: Login | None
    argv: tuple[str, ...]

    @property
    def line(self) -> str:
        """What one would type on the login node for the same."""
        return shlex.join(self.argv)


def shell(said: str, folder: Path) -> int:
    """Give a shell on the login node; return its exit status."""
    site, login = login_of(said, folder)
    shells.check_terminal("a shell")
    return shells.login_shell(login, site.sessions)


def prepare(said: str, folder: Path, wish: ShellOptions) -> JobShell:
    """Return the shell in a job that was wished for; raise RunError with every reason why no partition has it."""
    site, login = _way(said, folder)
    argv = scheduler(site.scheduler).interactive_argv(request_of(site, wish))
    return JobShell(site=site, login=login, argv=tuple(argv))


def enter(wanted: JobShell) -> int:
    """Wait for the job, and give its shell; return its exit status."""
    shells.check_terminal("an interactive job")
    again = f"packhorse shell {wanted.site.name} --attach"
    try:
        status = shells.job_shell(wanted.login, wanted.site.sessions, wanted.argv)
    except RunError as error:
        raise RunError(
            error.message, f"{error.hint}\nwhat ran in tmux or screen goes on; then {again}"
        ) from None
    if status == shells.OPEN:
        raise RunError("an interactive job of yours is open already", f"{again} returns to it")
    return status


def attach(said: str, folder: Path) -> tuple[Site, int]:
    """Return to the interactive job; return its exit status."""
    site, login = _way(said, folder)
    shells.check_terminal("an interactive job")
    status = shells.attach(login, site.sessions)
    if status == shells.NONE:
        raise RunError(
            f"no interactive job is open on {site.name}", f"packhorse shell {site.name} --job starts one"
        )
    if status == shells.ELSEWHERE:
        raise RunError(
            f"{site.name} has several login nodes, and the connection leads to another one",
            f"packhorse shell {site.name}, there ssh to the node named above, then tmux attach",
        )
    return site, status


def _way(said: str, folder: Path) -> tuple[Site, Login | None]:
    """Return a site and the login to it, None where this machine speaks to its scheduler itself."""
    site = find_site(said, folder)
    here = site.has_login(platform.node())
    if site.scheduler != "local" and (here or (not site.login and shutil.which(_program(site)))):
        return site, None
    return login_of(said, folder)


def _program(site: Site) -> str:
    return "srun" if site.scheduler == "slurm" else "qsub"


def request_of(site: Site, wish: ShellOptions) -> Request:
    """Return what the job asks for, with the partition that has it; raise RunError where none does."""
    resources = Resources(
        cpus=wish.cores or 1,
        memory=None if wish.memory is None else units.memory(wish.memory, "--memory"),
        gpus=wish.gpus,
    )
    seconds = None if wish.time is None else int(units.duration(wish.time, "--time"))
    asked = Cluster(
        partition=wish.partition or "", account=wish.account or "", qos=wish.qos or "", job_time=seconds
    )
    work = Work(tasks=1, resources=resources)
    meant = (one for one in site.partitions if "interactive" in one.purpose and not one.by_request)
    fitting = next((one.name for one in meant if not limits(work, one, asked)), "")
    chosen = choose(work, site, replace(asked, partition=asked.partition or fitting))
    if chosen.partition is None:
        said = "; ".join(dict.fromkeys(reason.text for reason in chosen.reasons))
        advice = "; ".join(dict.fromkeys(reason.advice for reason in chosen.reasons if reason.advice))
        raise UsageError(
            f"such a job does not fit {site.name}: {said}", advice or f"packhorse sites show {site.name}"
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
