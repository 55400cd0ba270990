"""The parts of a site that are described each for itself. Memory and quotas in MiB, times in seconds."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Purpose = Literal["serial", "parallel", "gpu", "memory", "test", "interactive"]
Use = Literal["home", "code", "environments", "data", "runs", "results", "scratch", "shared", "archive"]
MailWhen = Literal["begin", "end", "fail"]


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every part says of itself: where its facts are from, of which day, and what nobody has verified."""

    source: str = ""
    date: str = ""
    doubt: str = ""


class NodeKind(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Nodes of one partition that are alike, where not all of them are. Sizes are those of one node."""

    name: str
    nodes: int | None = None
    cores: int | None = None
    memory: int | None = None
    gpus: int = 0
    gres: str = ""
    gpu: str = ""  # the model, for people
    constraint: str = ""  # what a job asks for to get such a node


class Partition(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A queue of a site. `cores`, `memory` and `gpus` are those of one node that a job gets; None is not known."""

    name: str
    about: str = ""
    purpose: tuple[Purpose, ...] = ()
    nodes: int | None = None
    cores: int | None = None
    memory: int | None = None
    gpus: int = 0
    gres: str = "gpu"  # what a GPU is called in a request
    gpu: str = ""  # the model, for people
    kinds: tuple[NodeKind, ...] = ()  # where not all nodes are alike
    default_time: int | None = None
    max_time: int | None = None
    min_nodes: int | None = None  # of one job
    max_nodes: int | None = None  # of one job
    max_cores: int | None = None  # of one job
    max_gpus: int | None = None  # of one job
    max_user_jobs: int | None = None  # that run at a time
    max_user_queued: int | None = None  # that wait or run
    max_user_gpus: int | None = None  # at a time
    default: bool = False  # where a job goes that names no partition
    test: bool = False  # meant for short tests
    by_request: bool = False  # open only to whom the site has let in
    open_to: str = ""  # whom the site lets in
    whole_nodes: bool = False  # a job is given, and charged for, whole nodes
    by_gpu: bool = False  # cores and memory follow the GPUs that a job asks for
    was: tuple[str, ...] = ()  # names that it had, and that are refused now

    @property
    def job_cores(self) -> int | None:
        """The most cores that a job may have on a node."""
        return min((one for one in (self.cores, self.max_cores) if one is not None), default=None)

    @property
    def job_gpus(self) -> int:
        """The most GPUs that a job may have on a node."""
        return self.gpus if self.max_gpus is None else min(self.gpus, self.max_gpus)


class Storage(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A place for files. Its `path` may hold variables of the user's shell, and {account} or {project}."""

    name: str
    path: str = ""
    purpose: tuple[Use, ...] = ()  # what it is right for
    quota: int | None = None  # MiB
    inodes: int | None = None  # files and folders, at most
    quota_per: Literal["user", "project"] = "user"
    backup: bool | None = None
    retention: str = ""  # how long backups, and files, are kept
    purge: int | None = None  # seconds after which files are deleted
    purge_clock: Literal["write", "access"] = "write"  # since when
    local: bool = False  # to one node; else every node sees it
    speed: str = ""
    about: str = ""


class Archive(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Where results are kept for years, and what it takes."""

    title: str = ""
    quota: int | None = None
    modules: tuple[str, ...] = ()  # that bring its programs
    min_file: int | None = None  # MiB; smaller files belong into a bundle
    max_file: int | None = None  # MiB, of a file in a bundle
    closed: str = ""  # when it is not there
    about: str = ""


class Modules(Part, frozen=True, kw_only=True, omit_defaults=True):
    """How programs are loaded at a site."""

    system: Literal["lmod", "environment-modules", ""] = ""
    load: str = "module load"
    setup: tuple[str, ...] = ()  # shell lines after which `module` is there, in a shell that is no login
    loaded: tuple[str, ...] = ()  # by default
    known: tuple[str, ...] = ()
    python: str = ""  # the module that brings python3
    r: str = ""  # the module that brings Rscript


class Mail(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What a site says of the scheduler's mail."""

    when: tuple[MailWhen, ...] = ()  # what it may be asked for; nothing: not known
    addresses: str = ""  # what an address must end with
    about: str = ""


class LoginLimits(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What processes on a login node may use."""

    cpu_time: int | None = None
    memory: int | None = None
    processes: int | None = None
    about: str = ""


class Access(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Who may use a site, and how one comes in."""

    who: str = ""
    steps: tuple[str, ...] = ()
    delay: str = ""  # until an account can be used
    asks: str = ""  # what a login asks for: password, second factor
    keys: str = ""  # what the site says of SSH keys
    denied: str = ""  # what "permission denied" means on a fresh account
    help: str = ""  # whom to ask
    help_not: str = ""  # and when not


class Retired(Part, frozen=True, kw_only=True, omit_defaults=True):
    """That a site is gone, since `date`, and which sites took its place."""

    successors: tuple[str, ...] = ()
    about: str = ""


class Sourced(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Where one fact of a site is from, where that is not the source of the site as a whole."""

    name: str  # the fact's key
