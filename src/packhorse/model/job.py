"""Jobs of a scheduler: the request for one, the reply to its submission, its state and its end.

Memory is in MiB, times are in seconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

JobState = Literal["QUEUED", "RUNNING", "GONE", "UNKNOWN"]
EndCause = Literal[
    "done", "failed", "timeout", "memory", "node", "preempted", "cancelled", "requeued", "unknown"
]  # how a job ended


class Wait(Struct, frozen=True):
    """A dependency on another job: wait until it starts, ends, succeeds or fails, or each element for its own."""

    job: str
    until: Literal["start", "end", "ok", "fail", "each"]


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The resources and options of a job. Each element of an array gets all of them.

    Fields left out take the site's default. `output` and `error` are paths that may hold {job} and {element}.
    What differs from one submission to the next (`token`, `elements`, `exclude`, `after`) is given on the command
    line; all else, including the array of `indices` and the dependencies in `waits`, in the head of the script.
    """

    name: str
    token: str = ""  # finds the job where the reply with its number was lost
    elements: int = 0  # of an array; 0: not an array
    indices: tuple[tuple[int, int, int], ...] = ()  # of an array: (first, last, step)
    throttle: int = 0  # elements that may run at a time; 0: all
    partition: str = ""
    account: str = ""
    qos: str = ""
    nodes: int = 1
    tasks: int = 1  # per node: processes of a launcher (srun, mpirun), which share its cores
    cores: int = 1  # per node; 0: the site's default
    memory: int | None = None  # per node
    core_memory: int | None = None  # per core, in place of `memory`
    gpus: int = 0  # per node
    gres: str = "gpu"
    constraint: str = ""  # a feature that the nodes must have, by the site's name
    seconds: int | None = None  # the time limit
    whole_nodes: bool = False
    output: str = ""
    error: str = ""  # empty: in the same file as the output
    exclude: tuple[str, ...] = ()  # nodes to avoid
    after: str = ""  # a job that must have ended, in whatever way, before this one starts
    waits: tuple[Wait, ...] = ()
    mail: str = ""  # address for the scheduler's email
    mail_when: tuple[Literal["begin", "end", "fail"], ...] = ()
    requeue: bool | None = True  # restart after a node failure; None: the site's default
    options: tuple[str, ...] = ()  # options of the scheduler, passed on unchanged


class HeadOptions(Struct, frozen=True, kw_only=True):
    """What the user asks for in place of the head of a job script; empty fields leave the head as it is."""

    partition: str = ""
    account: str = ""
    qos: str = ""
    seconds: int | None = None  # the time limit
    memory: int | None = None  # per node, in MiB


class Submitted(Struct, frozen=True):
    """The scheduler accepted a job; `job` is its number."""

    job: str


class SubmissionRefused(Struct, frozen=True):
    """The scheduler rejected a job: `why` is its message; `transient` says that a later attempt may succeed."""

    why: str
    transient: bool


class SubmissionUnknown(Struct, frozen=True):
    """The reply to a submission was lost, so the job may or may not exist."""

    why: str


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job in the queue, or the elements of an array that the scheduler shows in one row."""

    job: str  # the number; for an element that of its array
    state: JobState
    word: str = ""  # the state in the scheduler's terms: PENDING, COMPLETING, C
    element: int | None = None
    elements: int = 1  # in this row
    reason: str = ""  # why it waits, in the scheduler's terms
    start: str = ""  # expected or actual, ISO 8601
    elapsed: int | None = None
    limit: int | None = None
    overdue: int = 0  # seconds past its limit
    node: str = ""
    lost: str = ""  # why it will not end, although the scheduler says that it runs
    name: str = ""
    token: str = ""


class Ended(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job or element that has ended, from the scheduler's accounting."""

    job: str
    element: int | None = None
    how: EndCause
    word: str = ""  # the state in the scheduler's terms
    by: str = ""  # the numeric id of the user who cancelled it
    exit: int | None = None  # the exit code
    signal: int | None = None
    cores: int | None = None
    elapsed: int | None = None
    cpu: float | None = None  # CPU time
    memory: int | None = None  # peak
    node: str = ""
    name: str = ""
    queue: str = ""
    nodes: int | None = None
    asked_memory: int | None = None  # requested, for the whole job
    limit: int | None = None
    end: str = ""  # ISO 8601


class Details(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One job or element in detail: its state, script, working directory and output files."""

    job: str
    element: int | None = None
    name: str = ""
    word: str = ""  # the state in the scheduler's terms
    folder: str = ""  # the working directory
    script: str = ""
    output: str = ""  # a path; empty: not known
    error: str = ""  # a path; empty: in the same file as the output
    waits: bool = False  # not started yet
    late: bool = False  # running; its files appear only when it has ended
    guessed: bool = (
        False  # the scheduler no longer knows the files; they follow from the script, or are its usual ones
    )
