"""What a script asks for, apart from the words of its scheduler. Memory is in MiB, times are in seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Scheduler = Literal["slurm", "torque", "openpbs"]
TITLES: dict[str, str] = {"slurm": "Slurm", "torque": "TORQUE", "openpbs": "PBS Pro"}
# What the cores of nodes=N:ppn=M are for: a process each, or the threads of one process.
Cores = Literal["ranks", "threads", ""]
Kind = Literal["lost", "assumed", "changed", "site"]


class Note(Struct, frozen=True, order=True):
    """What the user must know of one line of the script."""

    line: Annotated[int, Meta(description="The line of the script that was read, from 1.")]
    kind: Annotated[
        Kind,
        Meta(
            description="lost: not translated, and left as a comment; assumed: several meanings are possible; changed: "
            "translated, with another effect in some cases; site: a limit or name of the site."
        ),
    ]
    text: Annotated[str, Meta(description="What it is, and why.")]


class Resources(Struct, frozen=True, kw_only=True):
    """Nodes, processes, cores, memory and GPUs. None: the script does not say."""

    nodes: int | None = None
    tasks: int | None = None  # of the whole job
    tasks_per_node: int | None = None
    cores: int | None = None  # of one task
    threads: int | None = None  # of one task, as ompthreads of PBS Pro states it
    node_memory: int | None = None
    core_memory: int | None = None
    all_memory: bool = False  # --mem=0
    gpus: int | None = None  # of a node
    gpu_kind: str = ""
    exclusive: bool = False
    features: tuple[str, ...] = ()  # that a node must have
    hosts: tuple[str, ...] = ()

    @property
    def per_node(self) -> int:
        """The tasks on a node, rounded up."""
        if self.tasks_per_node is not None:
            return self.tasks_per_node
        return -(-(self.tasks or self.nodes or 1) // (self.nodes or 1))

    @property
    def node_count(self) -> int:
        """The number of nodes where it is stated or follows, else 1."""
        if self.nodes is None and self.tasks_per_node and self.tasks:
            return -(-self.tasks // self.tasks_per_node)
        return self.nodes or 1

    @property
    def total(self) -> int:
        """All tasks."""
        return self.tasks or self.node_count * self.per_node


class Item(Struct, frozen=True, kw_only=True):
    """One request of a directive. `kind` is a name of this package: time, queue, array; "": it has no equivalent."""

    kind: str
    value: str
    line: int
    written: str  # the directive as its scheduler reads it, without the sentinel
    why: str = ""  # why there is no equivalent


class Asked(Struct, frozen=True, kw_only=True):
    """All requests of a script, in order. Items of kind "resources" mark where `resources` were written."""

    items: tuple[Item, ...]
    resources: Resources
    notes: tuple[Note, ...] = ()

    def first(self, kind: str) -> str:
        """Return the value of the last item of a kind, which counts, or an empty text."""
        return next((one.value for one in reversed(self.items) if one.kind == kind), "")

    def has(self, kind: str) -> bool:
        """Return whether there is an item of a kind."""
        return any(one.kind == kind for one in self.items)


class Written(Struct, frozen=True, kw_only=True):
    """An item for another scheduler: its directives without the sentinel, lines of the body, and notes."""

    options: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()  # directives of the first scheduler to keep as comments, and why
    notes: tuple[Note, ...] = ()
