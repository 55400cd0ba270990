"""The parts of a site: partitions, storage areas, access and others.

Memory and quotas are in MiB, times are in seconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Purpose = Literal["serial", "parallel", "gpu", "memory", "test", "interactive"]
Use = Literal["home", "code", "environments", "data", "runs", "results", "scratch", "shared", "archive"]
MailWhen = Literal["begin", "end", "fail"]


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The base of every part: the source of its facts, their date, and what has not been verified."""

    source: str = ""
    date: str = ""
    doubt: str = ""


class NodeKind(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A group of identical nodes in a partition of mixed nodes. Sizes are per node."""

    name: str
    nodes: int | None = None
    cores: int | None = None
    memory: int | None = None
    gpus: int = 0
    gres: str = ""
    gpu: str = ""  # the model, for people
    constraint: str = ""  # the feature that a job requests to get such a node


class Partition(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A partition or queue of a site. `cores`, `memory` and `gpus` are per node; None means not known."""

    name: str
    about: str = ""
    purpose: tuple[Purpose, ...] = ()
    nodes: int | None = None
    cores: int | None = None
    memory: int | None = None
    gpus: int = 0
    gres: str = "gpu"  # the name of a GPU in a request
    gpu: str = ""  # the model, for people
    kinds: tuple[NodeKind, ...] = ()  # where the nodes differ
    default_time: int | None = None
    max_time: int | None = None
    min_nodes: int | None = None  # per job
    max_nodes: int | None = None  # per job
    max_cores: int | None = None  # per job
    max_gpus: int | None = None  # per job
    max_user_jobs: int | None = None  # running at a time
    max_user_queued: int | None = None  # queued or running
    max_user_gpus: int | None = None  # at a time
    default: bool = False  # used by jobs that name no partition
    test: bool = False  # meant for short tests
    by_request: bool = False  # open only to users that the site has admitted
    open_to: str = ""  # which users the site admits
    whole_nodes: bool = False  # a job gets whole nodes, and is charged for them
    machine: str = ""  # as uname -m prints it on a node: x86_64, aarch64
    exclusive_kind: str = ""  # given, with all its memory, to an exclusive job that requests no kind
    by_gpu: bool = False  # cores and memory follow the number of GPUs requested
    was: tuple[str, ...] = ()  # former names, which are refused now

    @property
    def job_cores(self) -> int | None:
        """The maximum number of cores of a job on one node; None: not known."""
        return min((limit for limit in (self.cores, self.max_cores) if limit is not None), default=None)

    @property
    def job_gpus(self) -> int:
        """The maximum number of GPUs of a job on one node."""
        return self.gpus if self.max_gpus is None else min(self.gpus, self.max_gpus)


class Storage(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A storage area. Its `path` may hold shell variables, and {account} or {project}."""

    name: str
    path: str = ""
    purpose: tuple[Use, ...] = ()  # what it is suited for
    quota: int | None = None  # MiB
    inodes: int | None = None  # the maximum number of files and folders
    quota_per: Literal["user", "project"] = "user"
    backup: bool | None = None
    retention: str = ""  # how long backups and files are kept
    purge: int | None = None  # seconds after which files are deleted
    purge_clock: Literal["write", "access"] = "write"  # the time from which `purge` counts
    local: bool = False  # visible on one node only
    speed: str = ""
    about: str = ""


class Archive(Part, frozen=True, kw_only=True, omit_defaults=True):
    """An archive for results, and the files that it accepts."""

    title: str = ""
    quota: int | None = None
    modules: tuple[str, ...] = ()  # that provide its programs
    min_file: int | None = None  # MiB; smaller files must be bundled
    max_file: int | None = None  # MiB, of one file in a bundle
    closed: str = ""  # when it is unavailable
    about: str = ""


class Modules(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The module system of a site."""

    system: Literal["lmod", "environment-modules", ""] = ""
    load: str = "module load"
    setup: tuple[str, ...] = ()  # shell lines that define `module` in a shell that is not a login shell
    loaded: tuple[str, ...] = ()  # by default
    known: tuple[str, ...] = ()
    python: str = ""  # the module that provides python3
    r: str = ""  # the module that provides Rscript
    conda: str = ""  # what activates a conda environment, if not conda activate: source activate


class Mail(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The scheduler's email at a site."""

    when: tuple[MailWhen, ...] = ()  # the events that a job may request; empty: not known
    addresses: str = ""  # the suffix that an address must have
    about: str = ""


class LoginLimits(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Limits for processes on a login node."""

    cpu_time: int | None = None
    memory: int | None = None
    processes: int | None = None
    about: str = ""


class Energy(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Power, carbon and price of a site; None: not stated."""

    core: float | None = None  # W of a core at work
    memory: float | None = None  # W of a GB
    pue: float | None = None  # energy of the data centre over that of its computers
    carbon: float | None = None  # g of CO2 equivalents per kWh
    price: float | None = None  # of a core-hour
    currency: str = ""
    about: str = ""


class Access(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Who may use a site, and how to get an account."""

    who: str = ""
    steps: tuple[str, ...] = ()
    delay: str = ""  # until a new account works
    asks: str = ""  # what a login requires: password, second factor
    keys: str = ""  # the site's rules for SSH keys
    denied: str = ""  # the meaning of "permission denied" on a new account
    help: str = ""  # contact for questions
    help_not: str = ""  # when not to contact them


class Retired(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The retirement of a site on `date`, and the sites that replaced it."""

    successors: tuple[str, ...] = ()
    about: str = ""


class Sourced(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The source of one fact, where it differs from the source of the whole site."""

    name: str  # the fact's key
