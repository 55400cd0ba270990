"""The shape of a wave: what a good operator would ask for, and never beyond any limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster, Resources
from packhorse.plan.job_time import usable, waves
from packhorse.plan.rungs import rungs_of
from packhorse.plan.shape import Shape, shape_of, usable_nodes
from packhorse.plan.work import Work
from packhorse.text import units
from packhorse.text.amounts import span
from plan.clusters import (
    DAY,
    GENERAL,
    GPU,
    HOUR,
    LARGE_NODES,
    TESTBED,
    fitting,
    taking,
)

NOTHING = Cluster()


def shape(work: Work, partition: Partition = GENERAL, site: Site = TESTBED, **asked) -> Shape:
    return shape_of(work, site, partition, Cluster(**asked))


def test_many_tasks_of_which_nothing_is_known_fill_the_nodes_with_few_elements():
    found = shape(Work(tasks=100_000))
    assert (found.elements, found.slots, found.cores, found.memory) == (4, 8, 8, None)
    assert found.seconds == 4 * HOUR  # the first wave measures; nobody knows whether more is needed


def test_many_tiny_tasks_are_not_worth_more_than_one_element():
    assert shape(taking(0.01, 100_000)).elements == 1
    assert shape(taking(0.01, 100_000)).slots == 8


def test_three_tasks_are_one_element_of_three_slots():
    for work in (Work(tasks=3), taking(1, 3), taking(2 * HOUR, 3)):
        found = shape(work)
        assert (found.elements, found.slots, found.cores) == (1, 3, 3)


def test_9600_tasks_of_a_second_have_five_minutes_of_work_for_each_of_32_slots():
    found = shape(taking(1, 9600, memory=500))
    assert (found.elements, found.slots, found.memory, found.seconds) == (4, 8, 8 * 500 + 64, 600)


def test_elements_are_alike_where_the_work_is_not_enough_for_full_ones():
    found = shape(taking(HOUR, 9))
    assert (found.elements, found.slots) == (2, 5)


def test_memory_bounds_the_slots_and_a_task_may_have_a_whole_node():
    assert shape(taking(HOUR, 100, memory=6000)).slots == 2
    whole = shape(taking(HOUR, 100, memory=16000))
    assert (whole.slots, whole.elements, whole.memory) == (1, 4, 16000)


def test_cores_of_a_task_bound_the_slots():
    found = shape(taking(HOUR, 100, cpus=3))
    assert (found.slots, found.cores) == (2, 6)


def test_each_gpu_task_is_an_element_of_its_own_so_that_the_scheduler_says_which_gpu_is_its():
    found = shape(taking(HOUR, 100, gpus=1, cpus=2), GPU)
    assert (found.elements, found.slots, found.gpus, found.cores) == (4, 1, 1, 2)
    assert shape(taking(HOUR, 100, gpus=2), GPU).elements == 2
    assert shape(taking(HOUR, 100, gpus=1), GPU, max_jobs=2).slots == 1


def test_whole_nodes_are_filled_since_they_are_paid_for():
    node = replace(GENERAL, whole_nodes=True)
    found = shape(taking(HOUR, 9), node)
    assert (found.elements, found.slots, found.cores, found.whole_nodes) == (2, 5, 8, True)
    few = shape(taking(60, 100), node)  # work for twenty slots
    assert (few.elements, few.slots) == (3, 8)
    gpus = shape(taking(HOUR, 9, gpus=2), replace(GPU, whole_nodes=True))
    assert (gpus.elements, gpus.slots, gpus.gpus) == (1, 2, 4)


def test_large_nodes_are_asked_in_pieces_that_fit_into_gaps():
    found = shape(taking(3 * HOUR, 2000), LARGE_NODES)
    assert (found.elements, found.slots) == (32, 32)  # 1,024 cores, as nobody asked for more


def test_elements_grow_to_whole_nodes_where_only_few_are_allowed():
    found = shape(taking(3 * HOUR, 2000), LARGE_NODES, max_jobs=4)
    assert (found.elements, found.slots, found.throttle) == (4, 128, 4)
    assert shape(taking(3 * HOUR, 2000), LARGE_NODES, max_jobs=1000).elements == 63


def test_elements_that_grow_still_run_all_at_once():
    found = shape(taking(3 * HOUR, 2000), replace(LARGE_NODES, nodes=4), max_jobs=8)
    assert (found.elements, found.slots) == (8, 64)  # two on each node


def test_one_user_does_not_fill_a_partition_for_tests():
    debug = replace(GENERAL, nodes=10, max_nodes=2, test=True)
    assert shape(taking(60, 9600), debug).elements == 2
    assert shape(taking(60, 9600), replace(debug, test=False)).elements == 10


def test_the_sites_limits_bound_elements_and_leave_a_place_for_the_job_that_goes_on():
    small = replace(TESTBED, max_jobs=4)
    assert shape(Work(tasks=100_000), site=small).elements == 3
    assert shape(Work(tasks=100_000), site=replace(TESTBED, max_array_index=1)).elements == 2


def test_partitions_of_which_little_is_known_get_small_elements():
    found = shape(taking(HOUR, 20), Partition(name=""))
    assert (found.elements, found.slots) == (3, 7)


def test_a_cap_of_core_hours_shortens_the_jobs_so_that_a_wave_stays_within_it():
    free = shape(taking(10, 9600))
    capped = shape(taking(10, 9600), max_core_hours=30)
    assert free.core_hours > 30 >= capped.core_hours
    assert capped.elements == free.elements


# Properties


@given(fitting())
def test_never_beyond_any_limit(scene):
    work, partition, site, asked = scene
    shaped = shape_of(work, site, partition, asked)
    for found in (shaped, *rungs_of(work, shaped, site, partition, asked)):
        assert found.elements >= 1
        assert found.slots >= 1
        assert found.elements <= (asked.max_jobs or found.elements)
        if site.max_array_index is not None:
            assert found.elements <= site.max_array_index + 1
        if site.max_jobs is not None:
            assert found.elements + 1 <= site.max_jobs
        if partition.cores is not None:
            assert found.cores <= partition.cores
        assert found.cores >= found.slots * work.resources.cpus
        assert found.gpus <= partition.gpus
        assert found.gpus >= found.slots * work.resources.gpus
        if partition.memory is not None and found.memory is not None:
            assert found.memory <= partition.memory
        if work.resources.memory:
            assert found.memory >= found.slots * work.resources.memory
        assert found.seconds <= (partition.max_time or found.seconds)


@given(fitting())
def test_all_elements_of_a_wave_can_run_at_once(scene):
    work, partition, site, asked = scene
    nodes = usable_nodes(partition)
    assume(nodes is not None)
    shaped = shape_of(work, site, partition, asked)
    for found in (shaped, *rungs_of(work, shaped, site, partition, asked)):
        on_one = [1 if partition.whole_nodes else found.elements]
        if partition.cores is not None:
            on_one.append(partition.cores // found.cores)
        if partition.memory is not None and found.memory is not None:
            on_one.append(partition.memory // found.memory)
        if found.gpus:
            on_one.append(partition.gpus // found.gpus)
        assert found.elements <= nodes * min(on_one)


@given(fitting())
def test_every_task_has_a_place_and_hardly_a_slot_is_without_work(scene):
    work, partition, site, asked = scene
    found = shape_of(work, site, partition, asked)
    in_a_job = usable(found.seconds)
    assert work.checkpoint or work.held <= in_a_job
    number = waves(work, found.at_a_time, found.seconds)
    if work.task <= in_a_job:
        assert number * found.at_a_time * int(in_a_job / work.task) >= work.tasks
    assert found.elements <= work.tasks
    assert (
        found.at_a_time < work.tasks + found.elements
    )  # less than one idle slot an element, as they are alike


@given(fitting(), st.integers(0, 10**6))
def test_more_tasks_never_get_fewer_elements_or_slots(scene, more):
    work, partition, site, asked = scene
    fewer = shape_of(work, site, partition, asked)
    found = shape_of(replace(work, tasks=work.tasks + more), site, partition, asked)
    assert found.elements >= fewer.elements
    assert found.at_a_time >= fewer.at_a_time


@given(fitting())
def test_no_more_slots_than_the_work_is_worth(scene):
    work, partition, site, asked = scene
    assume(not partition.whole_nodes)
    found = shape_of(work, site, partition, asked)
    worth = max(work.tasks * work.task / 300 + 1, 8)
    assert found.at_a_time < worth + found.elements


def test_a_task_without_memory_asks_for_none_whatever_the_site():
    found = shape_of(Work(tasks=5, resources=Resources(time=DAY)), TESTBED, GENERAL, NOTHING)
    assert found.memory is None


def page_rows() -> list[list[str]]:
    """Return the rows of the page's table of shapes on four nodes of 8 cores."""
    page = Path(__file__).parents[2] / "docs" / "explanation" / "cluster-shape.md"
    _, _, rest = page.read_text(encoding="utf-8").partition("On four nodes of 8 cores:\n\n")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in rest.split("\n\n")[0].splitlines()
    ]
    return rows[2:]


@pytest.mark.parametrize("row", page_rows(), ids=lambda row: f"{row[0]} of {row[1]}")
def test_the_shapes_that_the_page_tells(row):
    tasks, each, elements, slots, asks = row
    seconds = None if each == "unknown" else units.duration(each)
    work = taking(seconds, int(tasks.replace(",", "")))
    found = shape(work)
    number = waves(work, found.at_a_time, found.seconds)
    said = (
        span(found.seconds) if number == 1 or seconds is None else f"{number} waves of {span(found.seconds)}"
    )
    assert [str(found.elements), str(found.slots), said] == [elements, slots, asks]
