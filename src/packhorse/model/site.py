"""A site: a place to run, described by data. Memory in MiB, times in seconds."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from packhorse.model.site_parts import (
    Access,
    Archive,
    LoginLimits,
    Mail,
    Modules,
    Partition,
    Retired,
    Sourced,
    Storage,
    Use,
)

__all__ = ["Partition", "Site", "Storage"]


class Site(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place to run. What nobody could verify is absent, or has its doubt beside it."""

    name: str
    title: str = ""
    about: str = ""  # what it is for
    aliases: tuple[str, ...] = ()  # other words for it
    scheduler: Literal["local", "slurm", "torque", "openpbs"] = "slurm"
    scheduler_version: str = ""
    system: str = ""  # the operating system and the kind of machine, for people
    interconnect: str = ""
    login: str = ""  # where ssh logs in: host, user@host, ssh://user@host:port
    hosts: tuple[str, ...] = ()  # names of the login nodes, with * and ? as in a shell
    partitions: tuple[Partition, ...] = ()
    max_array_index: int | None = None  # the largest index of an array (Slurm: MaxArraySize - 1)
    max_jobs: int | None = None  # jobs and array elements a user may have waiting and running
    max_user_cores: int | None = None  # of all jobs of a user that run
    max_user_memory: int | None = None
    default_memory: int | None = None  # a core, where a job asks for none
    account_needed: bool = False
    account_about: str = ""  # where the name of an account is found
    array_mail: bool = True  # whether an array may ask for mail
    mail: Mail = Mail()
    compute_submits: bool = True  # whether a job may submit jobs
    compute_internet: bool | None = None  # whether a job reaches the internet
    setup: tuple[str, ...] = ()  # shell lines at the start of every job
    modules: Modules = Modules()
    launcher: str = ""  # what starts a program on several nodes
    storage: tuple[Storage, ...] = ()  # the first with a purpose is the right one for it
    quota_commands: tuple[str, ...] = ()  # that say what is used of the areas
    archive: Archive = Archive()
    scratch: str = ""  # a node's own folder, as the shell of a job says it: $TMPDIR
    login_limits: LoginLimits = LoginLimits()
    build_on: Literal["login", "job"] = "login"  # where environments are built
    idle: int | None = None  # seconds after which the site closes a login that does nothing
    sessions: int = 6  # of ssh at a time, over all processes
    poll: float = 60.0  # between two questions to the scheduler
    latency: float = 30.0  # until what a node wrote is seen everywhere
    access: Access = Access()
    maintenance: str = ""
    rules: tuple[str, ...] = ()  # other things worth knowing before the first job
    documentation: tuple[str, ...] = ()  # addresses of pages
    retired: Retired | None = None
    source: str = ""
    date: str = ""
    doubt: str = ""  # what nobody has verified
    sources: tuple[Sourced, ...] = ()  # of single facts, where they are from elsewhere

    def partition(self, name: str) -> Partition | None:
        """Return the partition of a name."""
        return next((one for one in self.partitions if one.name == name), None)

    def area(self, purpose: Use) -> Storage | None:
        """Return the place for files that is right for a purpose; None where nobody has said."""
        return next((one for one in self.storage if purpose in one.purpose), None)

    def is_called(self, word: str) -> bool:
        """Tell whether a word means this site: its name or another word for it, in any case."""
        return word.lower() in {self.name.lower(), *(alias.lower() for alias in self.aliases)}

    def has_login(self, host: str) -> bool:
        """Tell whether a machine of this name is one of the login nodes; patterns also match its first label."""
        whole = host.lower().rstrip(".")
        names = (whole, whole.partition(".")[0])
        return any(fnmatchcase(name, pattern.lower()) for pattern in self.hosts for name in names)
