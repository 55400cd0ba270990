"""What a user asks of a job, in the user's words: the form behind `packhorse script`. Empty is what is usual."""

from __future__ import annotations

from msgspec import Struct


class Form(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as a person describes it; times and amounts have their units."""

    command: str = ""  # lines of the shell
    site: str = ""
    scheduler: str = ""  # of a cluster that nobody has described
    name: str = ""
    partition: str = ""
    kind: str = ""  # of nodes, where a partition has several
    account: str = ""
    qos: str = ""
    time: str = ""
    nodes: int = 1
    tasks: int | None = None  # processes of a launcher, in all
    cores: int | None = None  # on each node
    memory: str = ""  # on each node
    memory_per_core: str = ""
    gpus: int = 0  # on each node
    array: str = ""
    after: tuple[str, ...] = ()
    log: str = ""
    error_log: str = ""
    mail: str = ""
    mail_when: str = ""
    modules: tuple[str, ...] = ()
    environment: str = ""
    setup: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    file: str = ""  # where the script will be
