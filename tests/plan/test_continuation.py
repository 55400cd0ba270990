"""The request of the job that submits the next wave: within the limits of every partition that waves go to."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster, Resources, Study
from packhorse.plan.continuation import CONTINUE_SECONDS, LEAST_SECONDS, continuation_note, continuation_of
from packhorse.plan.shape import shape_of, sized
from packhorse.project.placement import Place, propose
from packhorse.runtime.site_files import SHIPPED_FOLDER
from packhorse.sites.parse import parse_site
from plan.clusters import GENERAL, taking

QUICK = Partition(name="quick", nodes=4, cores=8, memory=16000, max_time=120, default=True)
MINUTE = replace(QUICK, name="minute", max_time=60)


def shipped(path: Path) -> Site:
    return parse_site(
        path.read_text(),
        name=path.stem,
        path=str(path),
        base=lambda other: shipped(SHIPPED_FOLDER / f"{other.value}.yaml"),
    )


SITES = [site for site in map(shipped, sorted(SHIPPED_FOLDER.glob("*.yaml"))) if site.partitions]


def follows(partition: Partition, *others: Partition, **shape: int):
    site = Site(name="x", partitions=(partition, *others))
    wave = replace(sized(Resources(), partition, 1, 1), seconds=3600)
    return continuation_of(replace(wave, **shape), site, partition)


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
def test_it_is_within_the_limits_of_the_shortest_partition_of_every_shipped_site(site: Site) -> None:
    shortest = min(site.partitions, key=lambda one: float("inf") if one.max_time is None else one.max_time)
    gpus = 1 if shortest.by_gpu or "gpu" in shortest.purpose else 0
    work = taking(10, 50, gpus=gpus)
    asked = Cluster(partition=shortest.name, account="lab")
    found = continuation_of(shape_of(work, site, shortest, asked), site, shortest)
    assert found is not None
    used = site.partition(found.partition)
    assert used is not None
    assert LEAST_SECONDS <= found.seconds <= min(CONTINUE_SECONDS, used.max_time or CONTINUE_SECONDS)
    assert used.memory is None or found.memory <= used.memory
    assert found.gpus == (1 if used.by_gpu else 0)
    assert (used.min_nodes or 1) == 1


def test_it_asks_for_no_more_time_than_the_partition_allows_or_than_the_wave() -> None:
    two_minutes, usual, short_wave = follows(QUICK), follows(GENERAL), follows(GENERAL, seconds=300)
    assert two_minutes
    assert usual
    assert short_wave
    assert (two_minutes.seconds, two_minutes.patience) == (120, 90)
    assert (usual.seconds, usual.patience) == (CONTINUE_SECONDS, 840)
    assert short_wave.seconds == 300, "an account or QOS may have the limit for which the user made it short"


def test_it_goes_to_another_partition_where_a_minute_is_too_short() -> None:
    closed = replace(GENERAL, name="closed", by_request=True)
    gpus = replace(GENERAL, name="gpus", gpus=4, by_gpu=True)
    found = follows(MINUTE, closed, gpus, GENERAL)
    assert found
    assert (found.partition, found.seconds, found.gpus) == ("general", CONTINUE_SECONDS, 0)
    site = Site(name="x", partitions=(MINUTE, GENERAL))
    assert continuation_note(found, site, MINUTE) == (
        "the job that submits the next wave goes to general, since minute allows 1 min and it needs 2 min"
    )
    only_gpus = follows(MINUTE, closed, gpus)
    assert only_gpus
    assert (only_gpus.partition, only_gpus.gpus) == ("gpus", 1), "where cores come with GPUs"
    assert follows(MINUTE, closed) is None


def test_it_fits_small_nodes_and_goes_elsewhere_where_jobs_have_several_nodes() -> None:
    small = follows(replace(QUICK, memory=500))
    assert small
    assert small.memory == 500
    wide = follows(replace(GENERAL, name="wide", min_nodes=2), GENERAL)
    assert wide
    assert wide.partition == "general"


def test_plan_says_that_later_waves_need_a_command_that_runs() -> None:
    site = Site(name="brief", partitions=(replace(MINUTE, max_time=100),))
    study = Study(name="s", command=("a",), resources=Resources(expected=1.0))
    found = propose(study, Place(site=site), 50)
    assert found.continuation is None
    assert found.notes == (
        "no partition of brief takes the job that submits the next wave, since minute allows 1 min 40 s"
        " and it needs 2 min; later waves are submitted only while packhorse run is running",
    )
    assert propose(study, Place(site=replace(site, compute_submits=False)), 50).notes == ()
