"""Which partition a study goes to, and in which words it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from msgspec.structs import replace

from packhorse.model.errors import RunError
from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster, Resources
from packhorse.plan.choice import Choice, choose, require, whole_study_fits
from packhorse.plan.fit import limits
from packhorse.plan.work import Work
from packhorse.project.sites import find_site
from plan.clusters import DAY, DEBUG, GENERAL, GPU, HOUR, HOURLY, TESTBED, requests, sites, taking, works

BIG = Partition(name="bigmem", nodes=2, cores=32, memory=1024**2, max_time=4 * DAY)
ROOMY = replace(TESTBED, partitions=(*TESTBED.partitions, BIG))
EIGHT_DAYS = 8 * DAY


def chosen(work: Work, site: Site = TESTBED, **asked) -> Choice:
    return choose(work, site, Cluster(**asked))


def refusal(work: Work, site: Site = TESTBED, **asked) -> str:
    with pytest.raises(RunError) as caught:
        require(chosen(work, site, **asked), site)
    return f"{caught.value.message} | {caught.value.hint}"


# Which one


def test_the_sites_default_where_it_fits():
    found = chosen(Work(tasks=10))
    assert (require(found, TESTBED), found.notes) == (GENERAL, ())


def test_the_first_that_fits_with_the_reason_that_the_default_does_not():
    found = chosen(taking(60, 10, gpus=1))
    assert found.partition == GPU
    assert found.notes == ("partition gpu, since a task asks for 1 GPU; nodes of general have none",)


def test_gpus_are_left_to_those_who_need_them():
    partitions = (replace(GPU, default=False), replace(GENERAL, default=False))
    assert chosen(Work(tasks=10), replace(TESTBED, partitions=partitions)).partition.name == "general"


def test_never_one_that_is_open_by_request_unless_it_is_named():
    site = replace(TESTBED, partitions=(GENERAL, replace(BIG, by_request=True)))
    work = taking(60, 10, memory=200 * 1024)
    assert (
        "once the site has given you access, write partition: bigmem under cluster:, or --partition bigmem"
        in refusal(work, site)
    )
    named = chosen(work, site, partition="bigmem")
    assert named.partition.name == "bigmem"
    assert named.notes == ("access to bigmem must be granted by testbed",)


def test_where_all_are_open_only_by_request_that_is_said():
    site = replace(TESTBED, partitions=(replace(GENERAL, by_request=True),))
    assert (
        "partition general is open only by request | to use it nevertheless, write partition: general"
        in refusal(Work(tasks=1), site)
    )


def test_one_for_tests_is_proposed_where_the_whole_study_fits():
    [note] = chosen(taking(1, 9600)).notes
    assert note == (
        "the whole study fits into debug (2 nodes, jobs up to 4 h), where jobs usually start sooner: --partition debug"
    )
    assert chosen(taking(HOUR, 100)).notes == ()  # four hours do not hold seven
    assert chosen(Work(tasks=10)).notes == ()  # nobody knows how long they take
    assert chosen(taking(60, 10, memory=20_000), ROOMY).partition == BIG
    assert chosen(taking(1, 9600), partition="general").notes == ()  # asked for


def test_one_for_shorter_jobs_is_proposed_too_but_none_with_gpus_that_would_idle():
    short = Partition(name="short", nodes=9, cores=8, max_time=12 * HOUR)
    site = replace(TESTBED, partitions=(GENERAL, short, GPU))
    [note] = chosen(taking(HOUR, 100), site).notes
    assert "fits into short (9 nodes, jobs up to 12 h)" in note
    assert chosen(taking(20 * HOUR, 100), site).notes == ()


def test_one_for_tests_is_taken_by_itself_only_where_nothing_else_fits():
    site = replace(TESTBED, partitions=(DEBUG, replace(GENERAL, default=False)))
    assert chosen(taking(1, 100), site).partition.name == "general"


def test_an_open_partition_is_named_before_a_smaller_one_by_request():
    site = replace(
        TESTBED, partitions=(GENERAL, replace(BIG, name="club", memory=40_000, by_request=True), BIG)
    )
    said = refusal(taking(60, 10, memory=20_000), site, partition="general")
    assert "bigmem has 1 TB: write partition: bigmem" in said


def test_one_for_tests_is_not_taken_for_more_than_that():
    site = replace(TESTBED, partitions=(DEBUG,))
    assert chosen(taking(1, 100), site).partition == DEBUG
    assert "debug is meant for tests, and the study is more than that" in refusal(taking(HOUR, 1000), site)
    assert chosen(taking(HOUR, 1000), site, partition="debug").partition == DEBUG


def test_a_site_of_which_nothing_is_known_is_tried_and_that_is_said():
    found = chosen(Work(tasks=3, resources=Resources(gpus=1)), Site(name="penguins"), partition="Penguin")
    assert found.partition.name == "Penguin"
    assert "the partitions of penguins are not described" in found.notes[0]


# Why not


@pytest.mark.parametrize(
    ("work", "asked", "said"),
    [
        (
            taking(60, 1, memory=200 * 1024),
            {"partition": "general"},
            "a task asks for 200 GB; nodes of general have 16000 MB | bigmem has 1 TB: write partition: bigmem",
        ),
        (
            taking(60, 1, cpus=16),
            {"partition": "gpu"},
            "a task asks for 16 cores; nodes of gpu have 8 | bigmem has 32 cores: write partition: bigmem",
        ),
        (
            taking(60, 1, gpus=2),
            {"partition": "general"},
            "a task asks for 2 GPUs; nodes of general have none | gpu has 4 GPUs: write partition: gpu",
        ),
        (
            taking(60, 1, gpus=8),
            {},
            "a task asks for 8 GPUs; nodes of general have none | nodes of testbed have at most 4 GPUs (gpu)",
        ),
        (
            taking(6 * DAY, 1),
            {"partition": "debug"},
            "a task takes 6 d, with start and end of its job 6 d 6 min; debug allows 4 h "
            "| general has 7 d: write partition: general",
        ),
        (
            taking(EIGHT_DAYS, 1),
            {},
            "general allows 7 d | make tasks shorter, or save checkpoints (checkpoint: true)",
        ),
        (
            taking(EIGHT_DAYS, 1),
            {"job_time": HOUR},
            "8 d 6 min; general allows 7 d | make tasks shorter",
        ),
        (
            taking(60, 1),
            {"job_time": EIGHT_DAYS},
            "a job asks for 8 d; general allows 7 d | write job_time: 7 d (or less)",
        ),
        (
            taking(HOUR, 1),
            {"job_time": HOUR},
            "a job asks for 1 h | write job_time: 1 h 5 min (or more) under cluster:, or --job-time '1 h 5 min'",
        ),
        (
            taking(1, 1),
            {"job_time": 60},
            "a job of 1 min leaves no time for tasks | write job_time: 2 min 30 s (or more)",
        ),
        (taking(1, 1), {"partition": "genral"}, "testbed has no partition genral | write partition: general"),
        (taking(1, 1), {"partition": "x"}, "no partition x | it has general, debug, gpu, bigmem"),
    ],
)
def test_a_refusal_names_what_was_asked_the_limit_and_where_it_fits(work, asked, said):
    assert said in refusal(work, ROOMY, **asked)


def test_all_reasons_are_said_at_once():
    site = replace(TESTBED, account_needed=True, max_jobs=1)
    said = refusal(taking(60, 1, gpus=8, memory=200 * 1024), site)
    for words in (
        "none is named",
        "testbed allows 1 job per user",
        "a task asks for 8 GPUs",
        "a task asks for 200 GB",
    ):
        assert words in said
    assert "write account: NAME" in said


def test_an_account_that_is_named_is_enough():
    assert chosen(Work(tasks=1), replace(TESTBED, account_needed=True), account="r00123").partition == GENERAL


def test_limits_on_arrays_and_on_nodes():
    assert "accepts no job arrays" in refusal(Work(tasks=1), replace(TESTBED, max_array_index=-1))
    closed = replace(TESTBED, partitions=(replace(GENERAL, nodes=0),))
    assert "partition general has no node" in refusal(Work(tasks=1), closed)


def test_tasks_of_three_hours_in_a_partition_of_one_are_refused_unless_they_save_where_they_are():
    assert "a task takes 3 h" in refusal(taking(3 * HOUR, 10), HOURLY)
    assert "checkpoint: true" in refusal(taking(3 * HOUR, 10), HOURLY)
    assert chosen(taking(3 * HOUR, 10, checkpoint=True), HOURLY).partition.name == "short"


def test_a_task_that_would_need_the_last_minute_of_the_longest_job_is_refused():
    assert "1 h 5 min; short allows 1 h" in refusal(taking(HOUR, 10), HOURLY)
    assert chosen(taking(3300, 10), HOURLY).partition is not None


# Properties


@given(works, sites, requests)
def test_what_is_chosen_fits_and_was_open_or_named(work, site, asked):
    found = choose(work, site, asked)
    if found.partition is None:
        assert found.reasons
        assert all(reason.text and reason.advice for reason in found.reasons)
    elif site.partitions:
        assert not limits(work, found.partition, asked)
        assert not found.partition.by_request
        assert not found.partition.test or whole_study_fits(work, site, found.partition, asked)


@given(works, sites, requests)
def test_nothing_is_refused_that_an_open_partition_would_take(work, site, asked):
    fitting = [one for one in site.partitions if not (one.by_request or one.test or limits(work, one, asked))]
    if fitting:
        assert choose(work, site, asked).partition is not None


def test_a_partition_whose_name_is_in_doubt_is_taken_by_the_other_name_with_a_warning():
    site = find_site("penguins", Path.cwd())
    found = chosen(Work(tasks=3, resources=Resources()), site, partition="PenguinPartition")
    assert found.partition.name == "PenguinPartition"
    assert "PenguinPartition of penguins is not verified: its name" in found.notes[-1]
    assert chosen(Work(tasks=3, resources=Resources()), site, partition="Pelican").partition is None
