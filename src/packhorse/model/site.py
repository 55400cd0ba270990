"""A site: a place to run, described by data. Memory in MiB, times in seconds."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct


class Partition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A queue of a site. `cores`, `memory` and `gpus` are those of one node; None is not known."""

    name: str
    nodes: int | None = None
    cores: int | None = None
    memory: int | None = None
    gpus: int = 0
    gres: str = "gpu"  # what a GPU is called in a request
    default_time: int | None = None
    max_time: int | None = None
    max_nodes: int | None = None  # of one job
    default: bool = False  # where a job goes that names no partition
    test: bool = False  # meant for short tests
    by_request: bool = False  # open only to whom the site has let in
    whole_nodes: bool = False  # a job is given, and charged for, whole nodes


class Site(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place to run. What nobody could verify is absent."""

    name: str
    title: str = ""
    scheduler: Literal["local", "slurm", "torque"] = "slurm"
    hosts: tuple[str, ...] = ()  # names of the login nodes, with * and ? as in a shell
    partitions: tuple[Partition, ...] = ()
    max_array_index: int | None = None  # the largest index of an array (Slurm: MaxArraySize - 1)
    max_jobs: int | None = None  # jobs and array elements a user may have waiting and running
    default_memory: int | None = None  # a core, where a job asks for none
    account_needed: bool = False
    array_mail: bool = True  # whether an array may ask for mail
    compute_submits: bool = True  # whether a job may submit jobs
    setup: tuple[str, ...] = ()  # shell lines at the start of every job
    scratch: str = ""  # a node's own folder, as the shell of a job says it: $TMPDIR
    poll: float = 60.0  # between two questions to the scheduler
    latency: float = 30.0  # until what a node wrote is seen everywhere
    source: str = ""
    date: str = ""

    def partition(self, name: str) -> Partition | None:
        """Return the partition of a name."""
        return next((one for one in self.partitions if one.name == name), None)

    def has_login(self, host: str) -> bool:
        """Tell whether a machine of this name is one of the login nodes; patterns also match its first label."""
        whole = host.lower().rstrip(".")
        names = (whole, whole.partition(".")[0])
        return any(fnmatchcase(name, pattern.lower()) for pattern in self.hosts for name in names)
