"""A job: what is asked of a scheduler, and what a scheduler says. Memory in MiB, times in seconds."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

JobState = Literal["QUEUED", "RUNNING", "GONE", "UNKNOWN"]
EndCause = Literal[
    "done", "failed", "timeout", "memory", "node", "preempted", "cancelled", "requeued", "unknown"
]  # a job ended


class Wait(Struct, frozen=True):
    """A job that another waits for: until it starts, ends, ends well, ends badly, or element by element of two arrays."""

    job: str
    until: Literal["start", "end", "ok", "fail", "each"]


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a job asks for; a job of several elements is an array, and each element gets all of this.

    Absent is the site's default. `output` and `error` are paths in which {job} and {element} stand for the numbers.
    What differs from one submission to the next (`token`, `elements`, `exclude`, `after`) stands on the command line;
    all else, also the array of `indices` and what it `waits` for, in the head of the script.
    """

    name: str
    token: str = ""  # by which the job is found again when nobody knows its number
    elements: int = 0  # 0: not an array
    indices: tuple[tuple[int, int, int], ...] = ()  # of an array: first, last, step
    throttle: int = 0  # elements that may run at a time, 0: all
    partition: str = ""
    account: str = ""
    qos: str = ""
    nodes: int = 1
    tasks: int = (
        1  # on each node: processes of a launcher (srun, mpirun), among which its cores are shared out
    )
    cores: int = 1  # on each node; 0: what the site gives
    memory: int | None = None  # on each node
    core_memory: int | None = None  # for each core, in place of `memory`
    gpus: int = 0  # on each node
    gres: str = "gpu"
    constraint: str = ""  # what a node must have, in the site's word
    seconds: int | None = None
    whole_nodes: bool = False
    output: str = ""
    error: str = ""  # absent: errors go where the output goes
    exclude: tuple[str, ...] = ()  # nodes
    after: str = ""  # a job after whose end, however it ends, this one may start
    waits: tuple[Wait, ...] = ()
    mail: str = ""  # an address
    mail_when: tuple[Literal["begin", "end", "fail"], ...] = ()
    requeue: bool | None = (
        True  # whether the scheduler may start it again after a node's failure; None: as the site likes
    )
    options: tuple[str, ...] = ()  # in the scheduler's own words, as they are


class Submitted(Struct, frozen=True):
    """The scheduler took a job."""

    job: str


class SubmissionRefused(Struct, frozen=True):
    """The scheduler did not take a job: why, in its words, and whether asking again later can help."""

    why: str
    transient: bool


class SubmissionUnknown(Struct, frozen=True):
    """Nobody knows whether the scheduler took a job: its answer was lost."""

    why: str


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a scheduler says of a job, or of the elements of an array that it shows in one row."""

    job: str  # the array's number for an element
    state: JobState
    word: str = ""  # the scheduler's own word: PENDING, COMPLETING, C
    element: int | None = None
    elements: int = 1  # how many the row stands for
    reason: str = ""  # the scheduler's word for why it waits
    start: str = ""  # expected or real, ISO 8601
    elapsed: int | None = None
    limit: int | None = None
    node: str = ""
    name: str = ""
    token: str = ""


class Ended(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a scheduler's accounting says of a job or element that has ended."""

    job: str
    element: int | None = None
    how: EndCause
    word: str = ""  # the scheduler's own
    by: str = ""  # who cancelled it: a user's number
    exit: int | None = None
    signal: int | None = None
    cores: int | None = None
    elapsed: int | None = None
    cpu: float | None = None
    memory: int | None = None  # peak
    node: str = ""
    name: str = ""
    queue: str = ""
    nodes: int | None = None
    asked_memory: int | None = None  # of the whole job
    limit: int | None = None
    end: str = ""  # ISO 8601


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a scheduler says of one job, or of one element, beside how it stands: where it is and where it writes."""

    job: str
    element: int | None = None
    name: str = ""
    word: str = ""  # the scheduler's own word for its state
    folder: str = ""  # in which it works
    script: str = ""
    output: str = ""  # files as paths; nothing: not known
    error: str = ""  # nothing: errors go where the output goes
    waits: bool = False  # it has not begun
    late: bool = False  # it runs, and its files come when it has ended
