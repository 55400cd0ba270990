"""Rungs: what later waves ask for, when tasks needed more memory or more time than the first wave gave them."""

from __future__ import annotations

from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster, Resources
from packhorse.plan.jobtime import HOUR
from packhorse.plan.shape import Rung, Shape, most_elements, node_slots, sized
from packhorse.plan.work import Work

MORE_MEMORY = 2  # times what a task had
LONG = 24 * HOUR  # where nobody knows the partition's limit, at least this and four times the time asked


def rungs_of(work: Work, shape: Shape, site: Site, partition: Partition, asked: Cluster) -> tuple[Rung, ...]:
    """Return the rungs of a run: base, the first wave's, then memory and long where there is more to have."""
    rungs = [_rung("base", shape, work.resources.memory)]
    more = more_memory(work.resources, shape, site, partition)
    if more is not None:
        resources = replace(work.resources, memory=more)
        rungs.append(_rung("memory", _with_memory(resources, shape, site, partition, asked), more))
    longer = longer_time(shape, partition, asked)
    if longer is not None:
        rungs.append(_rung("long", replace(shape, seconds=longer), work.resources.memory))
    return tuple(rungs)


def more_memory(resources: Resources, shape: Shape, site: Site, partition: Partition) -> int | None:
    """Return the MiB for a task that had too little: twice that, or all of a node; None: unknown, or no more to have."""
    had = task_memory(resources, shape, site, partition)
    if had is None:
        return None
    more = MORE_MEMORY * had if partition.memory is None else min(MORE_MEMORY * had, partition.memory)
    return more if more > had else None


def task_memory(resources: Resources, shape: Shape, site: Site, partition: Partition) -> int | None:
    """Return the MiB that a task has: those it asks for, else its part of what the site gives; None: unknown."""
    if resources.memory is not None:
        return resources.memory
    if shape.whole_nodes:
        return None if partition.memory is None else partition.memory // shape.slots
    return None if site.default_memory is None else site.default_memory * resources.cpus


def longer_time(shape: Shape, partition: Partition, asked: Cluster) -> int | None:
    """Return the seconds of a job for tasks that found theirs too short; None where the user or the site allow no more."""
    if asked.job_time is not None:
        return None
    most = max(LONG, 4 * shape.seconds) if partition.max_time is None else partition.max_time
    return most if most > shape.seconds else None


def _with_memory(
    resources: Resources, shape: Shape, site: Site, partition: Partition, asked: Cluster
) -> Shape:
    """Return a shape for larger tasks: fewer in an element, and no more at a time than before."""
    slots = max(1, min(shape.slots, node_slots(resources, partition)))
    allowed = most_elements(resources, site, partition, asked, slots)
    elements = min(allowed, max(1, shape.at_a_time // slots))
    return replace(sized(resources, partition, elements, slots), seconds=shape.seconds)


def _rung(name: str, shape: Shape, memory: int | None) -> Rung:
    return Rung(
        name=name,
        elements=shape.elements,
        slots=shape.slots,
        cores=shape.cores,
        memory=shape.memory,
        task_memory=memory,
        gpus=shape.gpus,
        seconds=shape.seconds,
        whole_nodes=shape.whole_nodes,
    )
