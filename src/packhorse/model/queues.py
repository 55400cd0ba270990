"""The present state of a scheduler's queues, as one user sees them. Times are in seconds."""

from __future__ import annotations

from msgspec import Struct


class QueueState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A queue or partition: its free cores and nodes, its limits, and whether the user may submit to it."""

    name: str
    default: bool = False
    open: bool = True  # whether it starts jobs
    word: str = ""  # the state in the scheduler's terms
    hidden: bool = False
    cores: int | None = None  # in total
    idle: int | None = None  # cores that are free for jobs
    lost: int | None = None  # cores of nodes that are down or drained
    nodes: int | None = None
    idle_nodes: int | None = None
    running: int | None = None  # jobs of all users
    waiting: int | None = None
    default_time: int | None = None
    max_time: int | None = None
    max_nodes: int | None = None  # per job
    may: bool | None = None  # whether the user may submit to it; None: not known
    rights: str = ""  # the reason, or the account or QOS that is needed
    account: str = ""  # an account that the queue accepts, where not every account of the user is accepted


class Start(Struct, frozen=True):
    """The start time that a scheduler estimates for a job: ISO 8601, in the site's time zone."""

    at: str
