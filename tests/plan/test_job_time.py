"""How long jobs ask to run, and how many waves that makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.study import Cluster, Resources
from packhorse.plan.job_time import job_seconds, longest_job, needed, stopped_before, usable, waves
from packhorse.plan.shape import shape_of
from packhorse.plan.work import Work
from packhorse.worker.deadline import margin_of
from plan.clusters import DAY, GENERAL, HOUR, HOURLY, TESTBED, fitting, taking, works

NOTHING = Cluster()
SHORT = HOURLY.partitions[0]


@given(st.integers(1, 60 * DAY))
def test_the_plan_knows_when_the_worker_stops(seconds):
    assert stopped_before(seconds) == pytest.approx(margin_of(seconds))


@given(st.floats(0, 60 * DAY))
def test_a_job_that_is_needed_for_so_many_seconds_has_them_and_little_more(seconds):
    asked = needed(seconds)
    assert usable(asked) >= seconds
    assert usable(asked) <= seconds + 3


def test_a_job_asks_for_half_as_much_again_as_expected_in_steps_of_five_minutes():
    assert (
        job_seconds(taking(HOUR, 32), 32, 7 * DAY, NOTHING) == 5700 + 300
    )  # 1.5 h, a minute, and a twentieth
    assert job_seconds(taking(1, 32), 32, 7 * DAY, NOTHING) == 600


def test_a_job_holds_the_longest_task_that_was_stated_or_measured():
    stated = Work(tasks=8, resources=Resources(expected=60, time=2 * HOUR))
    assert usable(job_seconds(stated, 8, 7 * DAY, NOTHING)) >= 2 * HOUR
    measured = Work(tasks=8, measured=60, longest=5 * HOUR)
    assert usable(job_seconds(measured, 8, 7 * DAY, NOTHING)) >= 5 * HOUR


def test_what_nobody_knows_gets_an_hour_at_least_and_four_at_most():
    assert job_seconds(Work(tasks=3), 3, longest_job(Work(tasks=3), GENERAL, NOTHING), NOTHING) == HOUR
    assert longest_job(Work(tasks=10**6), GENERAL, NOTHING) == 4 * HOUR
    assert longest_job(Work(tasks=3), SHORT, NOTHING) == HOUR


def test_long_work_is_split_into_even_waves_of_half_a_day_at_most():
    work = taking(HOUR, 20 * 32)  # twenty hours in each of 32 slots
    most = longest_job(work, GENERAL, NOTHING)
    assert most == 12 * HOUR
    seconds = job_seconds(work, 32, most, NOTHING)
    assert waves(work, 32, seconds) == 2
    assert usable(seconds) >= 10 * HOUR


def test_the_last_of_several_waves_asks_for_no_more_than_it_needs():
    work = taking(HOUR, 13 * 32)
    seconds = job_seconds(work, 32, 12 * HOUR, NOTHING)
    assert seconds == 38400  # half as much again as seven hours, and not twelve
    assert waves(work, 32, seconds) == 2


def test_a_task_that_the_study_ends_earlier_needs_no_longer_job():
    assert Work(tasks=1, resources=Resources(time=2 * HOUR), limit=HOUR).held == HOUR


def test_a_task_of_days_gets_a_job_of_days():
    work = Work(tasks=4, resources=Resources(time=3 * DAY))
    assert usable(shape_of(work, TESTBED, GENERAL, NOTHING).seconds) >= 3 * DAY


def test_ten_hours_of_work_are_several_waves_of_an_hour():
    work = taking(360, 3200)  # on 32 slots
    found = shape_of(work, HOURLY, SHORT, NOTHING)
    assert found.seconds == HOUR
    assert waves(work, found.at_a_time, found.seconds) == 12  # 56 minutes each, nine tasks of six minutes


def test_a_task_that_is_longer_than_a_job_takes_as_many_waves_as_it_needs():
    work = taking(3 * HOUR, 8, checkpoint=True)
    assert waves(work, 8, HOUR) == 4
    assert waves(work, 4, HOUR) == 8


def test_the_users_time_is_taken_as_it_is():
    assert shape_of(taking(1, 10), TESTBED, GENERAL, Cluster(job_time=777)).seconds == 777


@given(fitting())
def test_jobs_keep_the_users_and_the_partitions_time(scene):
    work, partition, site, asked = scene
    found = shape_of(work, site, partition, asked)
    if asked.job_time is not None:
        assert found.seconds == asked.job_time
    assert found.seconds <= (partition.max_time or found.seconds)


@given(works, st.integers(1, 5000), st.integers(200, 30 * DAY))
def test_longer_jobs_and_more_slots_never_mean_more_waves(work, slots, seconds):
    number = waves(work, slots, seconds)
    assert number >= 1
    assert waves(work, slots, 2 * seconds) <= number
    assert waves(work, 2 * slots, seconds) <= number
