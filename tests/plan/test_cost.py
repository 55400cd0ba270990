"""What a run costs: as expected, at most, and when that is too much."""

from __future__ import annotations

import pytest
from hypothesis import given

from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster, Resources
from packhorse.plan.cost import Cost, assumptions, cost_of, over_cap
from packhorse.plan.rungs import rungs_of
from packhorse.plan.shape import shape_of
from packhorse.plan.work import Work
from packhorse.text import units
from packhorse.text.amounts import hours, size, span
from plan.clusters import GENERAL, GPU, HOUR, HOURLY, TESTBED, fitting, taking


def cost(work: Work, site: Site = TESTBED, partition: Partition = GENERAL, **asked) -> Cost:
    request = Cluster(**asked)
    shaped = shape_of(work, site, partition, request)
    return cost_of(work, shaped, rungs_of(work, shaped, site, partition, request))


def test_a_wave_of_an_hour_on_32_cores():
    found = cost(taking(HOUR, 32, memory=100))
    assert (found.tasks, found.cores, found.waves, found.jobs) == (32, 32, 1, 5)
    assert found.hours == pytest.approx(1 + 1 / 60)
    assert found.core_hours == pytest.approx(32 * (1 + 1 / 60))
    assert found.wave_core_hours == pytest.approx(32 * 6000 / HOUR)
    # Every task takes all the time of its job, and again with more memory.
    assert found.waves_most == 2
    assert found.core_hours_most == pytest.approx(2 * found.wave_core_hours)
    assert found.hours_most == pytest.approx(2 * 6000 / HOUR)


def test_ten_hours_on_a_partition_of_one_tell_the_number_of_waves():
    found = cost(taking(360, 3200), HOURLY, HOURLY.partitions[0])
    assert (found.waves, found.jobs) == (12, 60)
    assert found.hours == pytest.approx(10.2)


def test_the_worst_case_is_known_only_where_somebody_said_or_measured_something():
    unknown = cost(Work(tasks=100))
    assert (unknown.hours_most, unknown.waves_most, unknown.core_hours_most) == (None, None, None)
    assert unknown.wave_core_hours > 0
    assert cost(Work(tasks=100, measured=1.0)).hours_most is not None
    longer = cost(Work(tasks=3200, resources=Resources(expected=60, time=HOUR)))
    assert longer.waves_most > 2 * longer.waves


def test_gpu_hours_are_counted():
    found = cost(taking(HOUR, 4, gpus=1), partition=GPU)
    assert found.gpu_hours == pytest.approx(4 * (1 + 1 / 60))


def test_a_cap_refuses_what_is_expected_to_use_more():
    found = cost(taking(10, 9600), max_core_hours=20)
    reason = over_cap(found, 20)
    assert reason.what == "core-hours"
    assert reason.text == "the run is expected to use 27.7 core-hours; the maximum is 20.0"
    assert "--max-core-hours 42" in reason.advice
    assert over_cap(cost(taking(10, 9600), max_core_hours=42), 42) is None
    assert over_cap(found, None) is None


def test_a_cap_refuses_a_wave_that_could_use_more():
    found = cost(taking(10, 9600), job_time=2 * HOUR)
    reason = over_cap(found, 30)
    assert reason.text.startswith("a wave may use up to 64.0 core-hours")
    assert "--max-core-hours 64" in reason.advice


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (
            Work(tasks=9),
            "the time of a task is not known: 1 min is assumed until the first wave has measured it",
        ),
        (Work(tasks=9, measured=2.5), "a task takes 2.5 s, as measured"),
        (taking(90, 9), "a task takes 1 min 30 s, as the study expects"),
        (Work(tasks=9, resources=Resources(time=90)), "every task takes all of its 1 min 30 s"),
        (taking(90, 9), "no memory is requested, so a job gets the default of testbed, 100 MB per core"),
    ],
)
def test_what_is_taken_for_granted_is_said(work, said):
    shaped = shape_of(work, TESTBED, GENERAL, Cluster())
    assert any(said in line for line in assumptions(work, TESTBED, GENERAL, shaped))


def test_memory_that_is_asked_is_no_assumption():
    work = taking(90, 9, memory=100)
    shaped = shape_of(work, TESTBED, GENERAL, Cluster())
    assert not any("memory" in line for line in assumptions(work, TESTBED, GENERAL, shaped))


@given(fitting())
def test_expected_is_never_more_than_at_most(scene):
    work, partition, site, asked = scene
    shaped = shape_of(work, site, partition, asked)
    found = cost_of(work, shaped, rungs_of(work, shaped, site, partition, asked))
    assert 0 < found.core_hours <= found.waves * found.wave_core_hours * (1 + 1e-9)
    if found.core_hours_most is not None:
        assert found.waves <= found.waves_most
        assert found.hours <= found.hours_most * (1 + 1e-9)
        assert found.core_hours <= found.core_hours_most * (1 + 1e-9)
    busy = work.tasks * work.task * work.resources.cpus / HOUR
    assert found.core_hours >= busy * (1 - 1e-9)


@pytest.mark.parametrize(
    ("mib", "said"),
    [(512, "512 MB"), (1024, "1 GB"), (1536, "1.5 GB"), (16000, "16000 MB"), (1024**2, "1 TB")],
)
def test_memory_in_words_is_exact(mib, said):
    assert size(mib) == said
    assert units.memory(said) == mib


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.01, "0.01 s"),
        (1, "1 s"),
        (61, "1 min 1 s"),
        (3601, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (9.6, "9.6 s"),
    ],
)
def test_times_in_words(seconds, said):
    assert span(seconds) == said
    assert units.duration(said) >= seconds


def test_hours_in_words():
    assert [hours(number) for number in (0, 9e-5)] == ["0", "less than 0.001"]
    assert [hours(number) for number in (0.0531, 1.25, 27.73, 1674.1)] == ["0.053", "1.2", "27.7", "1,675"]
