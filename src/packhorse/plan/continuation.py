"""The request of the continuation: the least that it needs, in a partition that allows it."""

from __future__ import annotations

from msgspec import Struct

from packhorse.model.site import Partition, Site
from packhorse.plan.shape import Shape
from packhorse.text.amounts import span

CONTINUE_SECONDS = 900  # it folds journals, and repeats a submission that the scheduler refuses for now
LEAST_SECONDS = 120  # it waits for the last lines of journals, and submits
CONTINUE_MEMORY = 600  # MiB, for a million tasks


class Continuation(Struct, frozen=True, kw_only=True):
    """The request of the job that submits the next wave. Times are in seconds, memory is in MiB."""

    partition: str
    seconds: int
    memory: int = CONTINUE_MEMORY
    gpus: int = 0
    gres: str = "gpu"

    @property
    def patience(self) -> int:
        """The seconds for which it repeats a submission; the rest of its time is for its start and end."""
        return self.seconds - min(60, self.seconds // 4)


def continuation_of(shape: Shape, site: Site, partition: Partition) -> Continuation | None:
    """Return the request of the continuation of waves in a partition; None: no partition of the site takes it.

    It asks for no more time than a wave, which the site accepts: limits of an account or QOS are not known here.
    """
    if _fits(partition):
        return _request(partition, max(LEAST_SECONDS, min(CONTINUE_SECONDS, shape.seconds)))
    others = [other for other in site.partitions if _fits(other) and not other.by_request]
    if not others:
        return None
    # GPUs idle meanwhile, and a partition for tests is the last choice, as for waves.
    return _request(min(others, key=lambda other: (bool(other.gpus), other.test)), CONTINUE_SECONDS)


def continuation_note(continuation: Continuation | None, site: Site, partition: Partition) -> str:
    """Return what a user must know of the continuation before anything is submitted; an empty text for nothing."""
    if continuation is None:
        return (
            f"no partition of {site.name} takes the job that submits the next wave{_why(partition)}; later waves"
            " are submitted only while packhorse run is running"
        )
    if continuation.partition != partition.name:
        return f"the job that submits the next wave goes to {continuation.partition}{_why(partition)}"
    return ""


def _fits(partition: Partition) -> bool:
    too_short = partition.max_time is not None and partition.max_time < LEAST_SECONDS
    several_nodes = (partition.min_nodes or 1) > 1
    return not too_short and not several_nodes and partition.nodes != 0


def _why(partition: Partition) -> str:
    if partition.max_time is None or partition.max_time >= LEAST_SECONDS:
        return ""
    return f", since {partition.name} allows {span(partition.max_time)} and it needs {span(LEAST_SECONDS)}"


def _request(partition: Partition, seconds: int) -> Continuation:
    limits = (CONTINUE_MEMORY, partition.memory)
    return Continuation(
        partition=partition.name,
        seconds=seconds if partition.max_time is None else min(seconds, partition.max_time),
        memory=min(limit for limit in limits if limit is not None),
        gpus=1 if partition.by_gpu else 0,
        gres=partition.gres,
    )
