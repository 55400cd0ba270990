"""What later waves ask for: more memory, more time, and where there is no more to have."""

from __future__ import annotations

from hypothesis import given
from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster
from packhorse.plan.rungs import rungs_of
from packhorse.plan.shape import Rung, shape_of
from packhorse.plan.work import Work
from plan.clusters import DAY, GENERAL, HOUR, TESTBED, fitting, taking


def rungs(work: Work, partition: Partition = GENERAL, site: Site = TESTBED, **asked) -> dict[str, Rung]:
    request = Cluster(**asked)
    shaped = shape_of(work, site, partition, request)
    return {rung.name: rung for rung in rungs_of(work, shaped, site, partition, request)}


def test_tasks_that_ran_out_of_memory_get_twice_as_much_and_fewer_run_at_a_time():
    found = rungs(taking(HOUR, 100, memory=1900))
    base, memory = found["base"], found["memory"]
    assert (base.slots, base.memory, base.task_memory) == (8, 8 * 1900 + 64, 1900)
    assert (memory.slots, memory.cores, memory.memory, memory.task_memory) == (4, 4, 4 * 3800 + 64, 3800)
    assert memory.seconds == base.seconds


def test_more_memory_begins_with_the_largest_that_was_seen():
    seen = replace(taking(HOUR, 100, memory=96), seen_memory=437.0)
    assert rungs(seen)["memory"].task_memory == 525
    assert rungs(replace(seen, seen_memory=100.0))["memory"].task_memory == 192
    assert rungs(replace(seen, seen_memory=99_999.0))["memory"].task_memory == 16000, "all of a node"


def test_more_memory_ends_at_the_node():
    found = rungs(taking(HOUR, 100, memory=10_000))["memory"]
    assert (found.task_memory, found.memory, found.slots) == (16000, 16000, 1)
    assert "memory" not in rungs(taking(HOUR, 100, memory=16000))


def test_memory_that_nobody_asked_is_the_sites_default_of_the_tasks_cores():
    found = rungs(taking(HOUR, 100, cpus=2))
    assert found["base"].memory is None
    assert found["memory"].task_memory == 400
    assert "memory" not in rungs(taking(HOUR, 100), site=replace(TESTBED, default_memory=None))


def test_on_whole_nodes_tasks_share_what_there_is():
    found = rungs(taking(HOUR, 100), replace(GENERAL, whole_nodes=True))["memory"]
    assert (found.slots, found.cores, found.task_memory) == (3, 8, 4000)  # and 64 MiB for the worker


def test_tasks_that_a_job_was_too_short_for_get_a_day_and_then_the_partitions_longest():
    def longer(*asked, **more) -> list[tuple[str, int]]:
        found = rungs(taking(60, 10), *asked, **more).values()
        return [(rung.name, rung.seconds) for rung in found if "long" in rung.name]

    assert longer() == [("long", DAY), ("longest", 7 * DAY)]
    assert longer(replace(GENERAL, max_time=DAY)) == [("long", DAY)]
    assert longer(replace(GENERAL, max_time=HOUR)) == [("long", HOUR)]
    assert longer(replace(GENERAL, max_time=600)) == []
    assert longer(replace(GENERAL, max_time=None)) == [("long", DAY)]
    assert longer(job_time=HOUR) == []  # the user said so


@given(fitting())
def test_each_rung_has_more_of_what_it_is_for(scene):
    work, partition, site, asked = scene
    shaped = shape_of(work, site, partition, asked)
    base, *others = rungs_of(work, shaped, site, partition, asked)
    assert base.name == "base"
    for rung in others:
        if rung.name != "memory":
            assert base.seconds < rung.seconds <= (partition.max_time or rung.seconds)
            continue
        assert rung.task_memory > (base.task_memory or 0)
        assert rung.slots <= base.slots
        assert rung.elements * rung.slots <= shaped.at_a_time
        if partition.memory is not None:
            assert rung.slots * rung.task_memory <= partition.memory
