"""Rungs: the larger requests of later waves, for tasks that needed more memory or time than the first wave had."""

from __future__ import annotations

import math

from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster, Resources
from packhorse.plan.job_time import HOUR
from packhorse.plan.shape import Rung, Shape, most_elements, node_slots, sized
from packhorse.plan.work import Work

MORE_MEMORY = 2  # times what a task had
SEEN_MARGIN = 1.2  # times what a task was seen to use: peaks differ a little between runs
LONG = 24 * HOUR  # seconds of a longer job, at least; else four times the time that was too short


def rungs_of(work: Work, shape: Shape, site: Site, partition: Partition, asked: Cluster) -> tuple[Rung, ...]:
    """Return the rungs of a run: base, the first wave's; then memory, long and longest where the site has more."""
    rungs = [_rung("base", shape, work.resources.memory)]
    more = more_memory(work, shape, site, partition)
    if more is not None:
        resources = replace(work.resources, memory=more)
        rungs.append(_rung("memory", _with_memory(resources, shape, site, partition, asked), more))
    for name, seconds in longer_times(shape, partition, asked).items():
        rungs.append(_rung(name, replace(shape, seconds=seconds), work.resources.memory))
    return tuple(rungs)


def more_memory(work: Work, shape: Shape, site: Site, partition: Partition) -> int | None:
    """Return the MiB for a task that ran out of memory; None: unknown, or no more.

    It is twice what the task had, and more than any task of the run was seen to use; at most all of a node.
    """
    had = task_memory(work.resources, shape, site, partition)
    if had is None:
        return None
    more = max(MORE_MEMORY * had, math.ceil(SEEN_MARGIN * work.seen_memory))
    more = more if partition.memory is None else min(more, partition.memory)
    return more if more > had else None


def task_memory(resources: Resources, shape: Shape, site: Site, partition: Partition) -> int | None:
    """Return the MiB that a task has: as requested, else its share of the site's default; None: unknown."""
    if resources.memory is not None:
        return resources.memory
    if shape.whole_nodes:
        return None if partition.memory is None else partition.memory // shape.slots
    return None if site.default_memory is None else site.default_memory * resources.cpus


def longer_times(shape: Shape, partition: Partition, asked: Cluster) -> dict[str, int]:
    """Return the seconds of longer jobs by rung, up to the limits of the user and the partition.

    Long precedes longest, so that a task that needs five hours does not wait for a gap of a week.
    """
    if asked.job_time is not None:
        return {}
    long = max(LONG, 4 * shape.seconds)
    times = {"long": long, "longest": long}
    if partition.max_time is not None:
        times = {"long": min(long, partition.max_time), "longest": partition.max_time}
    found: dict[str, int] = {}
    for name, seconds in times.items():
        if seconds > max([shape.seconds, *found.values()]):
            found[name] = seconds
    return found


def _with_memory(
    resources: Resources, shape: Shape, site: Site, partition: Partition, asked: Cluster
) -> Shape:
    """Return a shape for larger tasks: fewer per element, and at most as many at a time."""
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
