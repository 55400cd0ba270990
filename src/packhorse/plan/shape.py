"""The shape of a wave: how many elements, and how many tasks run at a time in each.

An element is one worker on one node. Elements divide their work while they run, so that they need no equal parts, and
one that has no more work ends at once. The choice is: few elements, because each is a job for the scheduler and has a
start; small ones, because a large one waits for an emptier node; and enough of both for the work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster, Resources
from packhorse.plan.job_time import HOUR, LEAST, job_seconds, longest_job, needed
from packhorse.plan.work import Work

WORTH_SECONDS = 300.0  # of work that justify the start of a slot
SMALL_CORES = 8  # an element of so many cores starts about as soon as one with a single core
ELEMENT_CORES = 32  # the maximum of an element where nodes are shared and enough elements are allowed
POLITE_CORES = 1024  # the maximum at a time, unless the user limits the number of jobs
UNKNOWN_CORES = 8  # assumed of a node whose cores are not known
WORKER_MIB = 64  # for the worker itself


class Shape(Struct, frozen=True, kw_only=True):
    """A wave's elements. Cores, memory (MiB; None: no request) and GPUs are those of one element."""

    partition: str
    elements: int
    slots: int
    cores: int
    memory: int | None = None
    gpus: int = 0
    seconds: int
    throttle: int = 0  # elements that may run at a time; 0: all
    whole_nodes: bool = False

    @property
    def at_a_time(self) -> int:
        """The number of tasks that run at a time when all elements run."""
        return self.elements * self.slots

    @property
    def core_hours(self) -> float:
        """The maximum core-hours of a wave: the whole time of its jobs."""
        return self.elements * self.cores * self.seconds / HOUR


class Rung(Struct, frozen=True, kw_only=True):
    """The request of a wave's elements; later waves may have a higher rung. `elements` is their maximum.

    `memory` is an element's and `task_memory` one task's, in MiB; None: no request.
    """

    name: str
    elements: int
    slots: int
    cores: int
    memory: int | None = None
    task_memory: int | None = None
    gpus: int = 0
    seconds: int
    whole_nodes: bool = False

    @property
    def core_hours(self) -> float:
        """The maximum core-hours of a wave."""
        return self.elements * self.cores * self.seconds / HOUR


def shape_of(work: Work, site: Site, partition: Partition, asked: Cluster) -> Shape:
    """Return the shape of a wave of this work in a partition that a task fits into (see `fit.unfit`)."""
    want = wanted_slots(work, partition, asked)
    usual = usual_slots(work.resources, partition)
    allowed = most_elements(work.resources, site, partition, asked, usual)
    elements = min(-(-want // usual), allowed)
    slots = min(-(-want // elements), _largest(work.resources, partition, usual, elements))
    shape = sized(work.resources, partition, elements, slots)
    most = _affordable(longest_job(work, partition, asked), work, shape, asked)
    seconds = job_seconds(work, shape.at_a_time, most, asked)
    return replace(shape, seconds=seconds, throttle=asked.max_jobs or 0)


def wanted_slots(work: Work, partition: Partition, asked: Cluster) -> int:
    """Return how many tasks are worth running at a time, whatever the limits on elements."""
    cpus = work.resources.cpus
    want = max(math.ceil(work.tasks * work.task / WORTH_SECONDS), SMALL_CORES // cpus, 1)
    if asked.max_jobs is None:
        want = min(want, max(1, POLITE_CORES // cpus))
    if partition.whole_nodes:  # paid for, used or not
        whole = node_slots(work.resources, partition)
        want = -(-want // whole) * whole
    return min(want, work.tasks)


def node_slots(resources: Resources, partition: Partition, elements: int = 1) -> int:
    """Return how many tasks run at a time in one of so many equal elements on a node; 0: a task does not fit."""
    cores = _cores(resources, partition) // elements
    slots = min(cores, partition.max_cores or cores) // resources.cpus
    if resources.memory and partition.memory is not None:
        share = partition.memory // elements
        fitting = (share - WORKER_MIB) // resources.memory
        if elements == 1 and resources.memory <= share:
            fitting = max(1, fitting)  # a task as large as a node, which leaves less for the worker
        slots = min(slots, max(0, fitting))
    if resources.gpus:
        slots = min(slots, partition.gpus // elements // resources.gpus, partition.job_gpus // resources.gpus)
    return slots


def usual_slots(resources: Resources, partition: Partition) -> int:
    """Return how many tasks an element runs at a time if no limit requires larger elements."""
    whole = node_slots(resources, partition)
    if partition.whole_nodes:
        return max(1, whole)
    if resources.gpus:
        return 1  # one GPU is free sooner than four on one node, and the scheduler names it to the job
    pieces = min(whole, -(-whole * resources.cpus // ELEMENT_CORES))
    return max(1, node_slots(resources, partition, max(1, pieces)))


def elements_on_node(resources: Resources, partition: Partition, slots: int) -> int:
    """Return how many elements of `slots` slots fit on one node."""
    found = _cores(resources, partition) // (slots * resources.cpus)
    if resources.memory and partition.memory is not None:
        found = min(found, partition.memory // (slots * resources.memory + WORKER_MIB))
    if resources.gpus:
        found = min(found, partition.gpus // (slots * resources.gpus))
    return max(1, found)


def most_elements(resources: Resources, site: Site, partition: Partition, asked: Cluster, slots: int) -> int:
    """Return the maximum number of elements of `slots` slots in a wave: by nodes, by the site's limits, by request."""
    limits = [asked.max_jobs, usable_nodes(partition)]
    if limits[1] is not None:
        limits[1] *= elements_on_node(resources, partition, slots)
    if site.max_array_index is not None:
        limits.append(site.max_array_index + 1)
    if site.max_jobs is not None:
        limits.append(site.max_jobs - 1)  # the continuation is a job, too
    limits += list(_user_limits(resources, site, partition, slots))
    known = [limit for limit in limits if limit is not None]
    return max(1, min(known)) if known else 2**31


def _user_limits(resources: Resources, site: Site, partition: Partition, slots: int) -> Iterator[int]:
    """Yield the maximum number of elements by each limit on all jobs of one user."""
    if partition.max_user_queued is not None:
        yield partition.max_user_queued - 1
    if partition.max_user_jobs is not None:
        yield partition.max_user_jobs
    if site.max_user_cores is not None:
        yield site.max_user_cores // (slots * resources.cpus)
    if partition.max_user_gpus is not None and resources.gpus:
        yield partition.max_user_gpus // (slots * resources.gpus)
    if site.max_user_memory is not None and resources.memory:
        yield site.max_user_memory // (slots * resources.memory + WORKER_MIB)


def usable_nodes(partition: Partition) -> int | None:
    """Return how many nodes a wave may use; a partition for tests must not be filled by one user."""
    if partition.test and partition.max_nodes is not None:
        return min(partition.max_nodes, partition.max_nodes if partition.nodes is None else partition.nodes)
    return partition.nodes


def sized(resources: Resources, partition: Partition, elements: int, slots: int) -> Shape:
    """Return a shape with the request of each element; its time is chosen later."""
    cores = slots * resources.cpus
    memory = None
    if resources.memory:
        memory = slots * resources.memory + WORKER_MIB
        if partition.memory is not None:
            memory = min(memory, partition.memory)
    gpus = slots * resources.gpus
    if partition.whole_nodes:
        cores = max(cores, _cores(resources, partition))
        gpus = partition.gpus if gpus else 0
    return Shape(
        partition=partition.name,
        elements=elements,
        slots=slots,
        cores=cores,
        memory=memory,
        gpus=gpus,
        seconds=LEAST,
        whole_nodes=partition.whole_nodes,
    )


def _largest(resources: Resources, partition: Partition, usual: int, elements: int) -> int:
    """Return the maximum slots of an element if only so many elements are allowed and all must run together."""
    if resources.gpus and not partition.whole_nodes:
        return usual
    nodes = usable_nodes(partition)
    on_one = 1 if nodes is None else max(1, -(-elements // nodes))
    return max(usual, node_slots(resources, partition, on_one))


def _affordable(most: int, work: Work, shape: Shape, asked: Cluster) -> int:
    """Return the longest time with which a whole wave stays within the user's core-hours, if its tasks fit into it."""
    if asked.max_core_hours is None or asked.job_time is not None:
        return most
    paid = int(asked.max_core_hours * HOUR / (shape.elements * shape.cores)) // 60 * 60
    return min(most, max(paid, LEAST, needed(work.held)))


def _cores(resources: Resources, partition: Partition) -> int:
    return max(UNKNOWN_CORES, resources.cpus) if partition.cores is None else partition.cores
