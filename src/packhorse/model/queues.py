"""Queues as a scheduler shows them now, to one user. Times in seconds."""

from __future__ import annotations

from msgspec import Struct


class QueueState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A queue, or partition: what is free, what it allows, and whether the user may send jobs there."""

    name: str
    default: bool = False
    open: bool = True  # whether it starts jobs
    word: str = ""  # the scheduler's own word for that
    hidden: bool = False
    cores: int | None = None  # in all
    idle: int | None = None  # cores that nobody uses and that may be used
    lost: int | None = None  # cores of nodes that are down or drained
    nodes: int | None = None
    idle_nodes: int | None = None
    running: int | None = None  # jobs of everybody
    waiting: int | None = None
    default_time: int | None = None
    max_time: int | None = None
    max_nodes: int | None = None  # of a job
    may: bool | None = None  # whether the user may use it; None: nobody says
    rights: str = ""  # why, in plain words; what to ask for where it takes an account or QOS
    account: str = ""  # one with which the user may use it, where not every one will do


class Start(Struct, frozen=True):
    """When a scheduler says that a job would start, ISO 8601 in the site's time."""

    at: str
