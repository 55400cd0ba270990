"""The form behind `packhorse script`: a job as a user describes it."""

from __future__ import annotations

from msgspec import Struct


class Form(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as a user describes it. Times and amounts are texts with a unit; empty fields take the site's default."""

    command: str = ""  # shell lines
    site: str = ""
    scheduler: str = ""  # of a cluster that has no site file
    name: str = ""
    partition: str = ""
    kind: str = ""  # of nodes, in a partition with several kinds
    account: str = ""
    qos: str = ""
    time: str = ""
    nodes: int = 1
    tasks: int | None = None  # processes of the launcher, in total
    cores: int | None = None  # per node
    memory: str = ""  # per node
    memory_per_core: str = ""
    gpus: int = 0  # per node
    array: str = ""  # indices of an array: 1-100, 0-9:3, 1-100%10
    after: tuple[str, ...] = ()  # jobs to wait for
    log: str = ""  # path of standard output, and of errors where `error_log` is empty
    error_log: str = ""
    mail: str = ""
    mail_when: str = ""
    modules: tuple[str, ...] = ()
    environment: str = ""
    setup: tuple[str, ...] = ()
    options: tuple[str, ...] = ()  # options of the scheduler, passed on unchanged
    file: str = ""  # the path of the script to write
