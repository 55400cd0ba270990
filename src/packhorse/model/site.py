"""A site: a machine or cluster that runs jobs. Memory is in MiB, times are in seconds."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.site_parts import (
    Access,
    Archive,
    Energy,
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
    """A machine or cluster that runs jobs. Facts that could not be verified are left out or named in `doubt`."""

    name: str
    title: str = ""
    about: str = ""  # its purpose
    aliases: tuple[str, ...] = ()  # other names for it
    scheduler: Literal["local", "slurm", "torque", "openpbs"] = "slurm"
    scheduler_version: str = ""
    system: str = ""  # operating system and machine type, for display
    interconnect: str = ""
    login: str = ""  # the ssh destination: host, user@host, ssh://user@host:port
    hosts: tuple[str, ...] = ()  # host names of the login nodes, with * and ? as in a shell
    partitions: tuple[Partition, ...] = ()
    max_array_index: int | None = None  # the largest index of an array (Slurm: MaxArraySize - 1)
    max_jobs: int | None = None  # jobs and array elements a user may have queued and running
    max_user_cores: int | None = None  # of all running jobs of a user
    max_user_memory: int | None = None
    default_memory: int | None = None  # per core, for a job that requests no memory
    account_needed: bool = False
    account_about: str = ""  # where a user finds the name of an account
    array_mail: bool = True  # whether an array may request email
    mail: Mail = Mail()
    compute_submits: bool = True  # whether a job may submit jobs
    compute_internet: bool | None = None  # whether jobs have internet access
    setup: tuple[str, ...] = ()  # shell lines at the start of every job
    modules: Modules = Modules()
    launcher: str = ""  # the command that starts a program on several nodes
    storage: tuple[Storage, ...] = ()  # the first area with a purpose serves it
    quota_commands: tuple[str, ...] = ()  # programs that print how much of the areas is used
    archive: Archive = Archive()
    scratch: str = ""  # a folder local to the node, as written in a job's shell: $TMPDIR
    login_limits: LoginLimits = LoginLimits()
    energy: Energy = Energy()
    build_on: Literal["login", "job"] = "login"  # where environments are built
    idle: int | None = None  # seconds after which the site closes an idle login
    sessions: int = 6  # ssh sessions at a time, over all processes
    poll: float = 60.0  # interval between two queries to the scheduler
    latency: float = 30.0  # until a file written on one node is visible on the others
    access: Access = Access()
    maintenance: str = ""
    rules: tuple[str, ...] = ()  # other rules to know before the first job
    documentation: tuple[str, ...] = ()  # URLs
    retired: Retired | None = None
    source: str = ""
    date: str = ""
    doubt: str = ""  # what has not been verified
    sources: tuple[Sourced, ...] = ()  # of single facts that come from elsewhere

    def partition(self, name: str) -> Partition | None:
        """Return the partition with this name, or None.

        A partition whose name is in doubt is also found by another name that its `doubt` mentions, and then has that.
        """
        found = next((partition for partition in self.partitions if partition.name == name), None)
        if found is None:
            other = next((one for one in self.partitions if name in re.findall(r"[\w.-]+", one.doubt)), None)
            found = None if other is None else replace(other, name=name)
        return found

    def area(self, purpose: Use) -> Storage | None:
        """Return the first storage area with this purpose, or None."""
        return next((area for area in self.storage if purpose in area.purpose), None)

    def is_called(self, name: str) -> bool:
        """Return whether this is the site's name or one of its aliases, ignoring case."""
        return name.lower() in {self.name.lower(), *(alias.lower() for alias in self.aliases)}

    def has_login(self, host: str) -> bool:
        """Return whether a host is one of the login nodes; patterns match its full name or its first label."""
        full = host.lower().rstrip(".")
        names = (full, full.partition(".")[0])
        return any(fnmatchcase(name, pattern.lower()) for pattern in self.hosts for name in names)
