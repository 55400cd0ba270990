"""Sites and work as the tests of this folder need them: the testbed, two larger ones, and any (hypothesis)."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st
from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster, Resources
from packhorse.plan.fit import limits
from packhorse.plan.work import Work

HOUR, DAY = 3600, 86400

GENERAL = Partition(
    name="general", nodes=4, cores=8, memory=16000, default_time=HOUR, max_time=7 * DAY, default=True
)
DEBUG = Partition(
    name="debug", nodes=2, cores=8, memory=16000, default_time=1800, max_time=4 * HOUR, max_nodes=2, test=True
)
GPU = Partition(name="gpu", nodes=1, cores=8, memory=16000, gpus=4, gres="gpu:a100", max_time=2 * DAY)
TESTBED = Site(name="testbed", partitions=(GENERAL, DEBUG, GPU), max_array_index=10000, default_memory=100)
LARGE_NODES = Partition(name="cpu", nodes=640, cores=128, memory=256 * 1024, max_time=4 * DAY, default=True)
HOURLY = Site(
    name="hourly",
    partitions=(Partition(name="short", nodes=4, cores=8, memory=16000, max_time=HOUR, default=True),),
)


def taking(seconds: float | None, tasks: int, **more) -> Work:
    """Return work whose tasks are expected to take so long; what is not a resource belongs to the work."""
    own = {name: more.pop(name) for name in ("checkpoint", "limit", "measured", "longest") if name in more}
    return Work(tasks=tasks, resources=Resources(expected=seconds, **more), **own)


def maybe(strategy):
    return st.none() | strategy


seconds = st.floats(0, 40 * DAY) | st.floats(0, 600)
resources = st.builds(
    Resources,
    cpus=st.integers(1, 48),
    memory=maybe(st.integers(1, 300_000)),
    time=maybe(st.integers(1, 10 * DAY)),
    expected=maybe(seconds),
    gpus=st.sampled_from((0, 0, 0, 1, 2, 3)),
)
works = st.builds(
    Work,
    tasks=st.integers(1, 100) | st.integers(1, 10**7),
    resources=resources,
    measured=maybe(seconds),
    longest=maybe(seconds),
    limit=maybe(st.floats(0.1, 10 * DAY)),
    checkpoint=st.booleans(),
)
partitions = st.builds(
    Partition,
    name=st.sampled_from(("a", "b", "c")),
    nodes=maybe(st.integers(0, 1000)),
    cores=maybe(st.integers(1, 256)),
    memory=maybe(st.integers(500, 2_000_000)),
    gpus=st.sampled_from((0, 0, 1, 4, 8)),
    max_time=maybe(st.integers(60, 30 * DAY)),
    max_nodes=maybe(st.integers(1, 10)),
    test=st.booleans(),
    by_request=st.booleans(),
    default=st.booleans(),
    whole_nodes=st.booleans(),
)
sites = st.builds(
    Site,
    name=st.just("any"),
    partitions=st.lists(partitions, max_size=3, unique_by=lambda one: one.name).map(tuple),
    max_array_index=maybe(st.integers(0, 2000)),
    max_jobs=maybe(st.integers(2, 2000)),
    default_memory=maybe(st.integers(1, 8000)),
)
requests = st.builds(
    Cluster,
    job_time=maybe(st.integers(60, 10 * DAY)),
    max_jobs=maybe(st.integers(1, 500)),
    max_core_hours=maybe(st.floats(0.1, 10**6)),
)


@st.composite
def fitting(draw) -> tuple[Work, Partition, Site, Cluster]:
    """Draw work and a partition that it fits into: what is too large is made smaller, what is too long saves where it is."""
    work, partition = draw(works), draw(partitions)
    partition = replace(partition, nodes=None if partition.nodes is None else max(1, partition.nodes))
    needs = work.resources
    needs = replace(
        needs,
        cpus=min(needs.cpus, partition.cores or needs.cpus),
        memory=needs.memory and min(needs.memory, partition.memory or needs.memory),
        gpus=min(needs.gpus, partition.gpus),
    )
    work, asked = replace(work, resources=needs), draw(requests)
    if limits(work, partition, asked):
        work = replace(work, checkpoint=True)
    if limits(work, partition, asked):
        asked = replace(asked, job_time=None)
    assume(not limits(work, partition, asked))
    return work, partition, draw(sites), asked
