"""Limits of one job in a partition, partitions with old names, and a site of which only the GPUs are described."""

from __future__ import annotations

from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.model.study import Cluster
from packhorse.plan.choice import choose
from packhorse.plan.shape import shape_of
from plan.clusters import taking

SERIAL = Partition(name="serial", purpose=("serial",), max_cores=1)
PARALLEL = Partition(name="parallel", purpose=("parallel",), cores=128, memory=512 * 1024, nodes=10)
GPU = Partition(
    name="h100-single", purpose=("gpu",), gpus=4, max_gpus=1, gres="gpu:h100", cores=96, was=("hopper",)
)
SITE = Site(name="two", partitions=(SERIAL, PARALLEL, GPU))


def test_jobs_of_a_serial_partition_have_one_core_and_larger_tasks_go_elsewhere() -> None:
    many = taking(600, 10_000)
    assert choose(many, SITE, Cluster()).partition == SERIAL
    shape = shape_of(many, SITE, SERIAL, Cluster())
    assert (shape.slots, shape.cores) == (1, 1)
    assert choose(taking(600, 10, cpus=4), SITE, Cluster()).partition == PARALLEL
    (reason,) = choose(taking(600, 10, cpus=4), SITE, Cluster(partition="serial")).reasons
    assert reason.text == "a task asks for 4 cores; a job of serial may have 1"
    assert "parallel has 128 cores" in reason.advice


def test_a_job_has_no_more_gpus_than_one_job_may_have() -> None:
    (reason,) = choose(taking(60, 4, gpus=2), SITE, Cluster(partition="h100-single")).reasons
    assert reason.text == "a task asks for 2 GPUs; a job of h100-single may have 1"
    assert shape_of(taking(60, 400, gpus=1), SITE, GPU, Cluster()).gpus == 1
    whole = replace(GPU, max_gpus=None)
    assert choose(taking(60, 4, gpus=2), replace(SITE, partitions=(whole,)), Cluster()).partition == whole


def test_a_partition_for_several_nodes_takes_no_tasks_of_one() -> None:
    wide = replace(PARALLEL, name="wide", min_nodes=2)
    (reason,) = choose(taking(60, 4), Site(name="w", partitions=(wide,)), Cluster(partition="wide")).reasons
    assert "at least 2 nodes" in reason.text


def test_where_resources_follow_gpus_work_without_them_is_refused() -> None:
    site = Site(name="gpus", partitions=(replace(GPU, by_gpu=True),))
    found = choose(taking(60, 4), site, Cluster())
    assert found.partition is None
    assert "by their GPUs" in found.reasons[0].text
    assert found.reasons[0].advice == "write gpus: 1 under resources"
    assert choose(taking(60, 4, gpus=1), site, Cluster()).partition is not None


def test_an_old_name_is_told_the_new_one() -> None:
    (reason,) = choose(taking(60, 4), SITE, Cluster(partition="hopper")).reasons
    assert reason.text == "two has no partition hopper any more; it is called h100-single"
    assert "write partition: h100-single" in reason.advice


def test_work_without_gpus_goes_to_the_scheduler_s_default_where_only_gpus_are_described() -> None:
    site = Site(name="half", partitions=(GPU,))
    found = choose(taking(60, 4), site, Cluster())
    assert found.partition == Partition(name="")
    assert "for work without GPUs" in found.notes[0]
    assert choose(taking(60, 4, gpus=1), site, Cluster()).partition == GPU
    assert choose(taking(60, 4), site, Cluster(partition="h100-single")).partition == GPU


def test_a_wave_has_no_more_jobs_than_one_user_may_have_at_a_time() -> None:
    many = taking(600, 100_000)
    assert shape_of(many, replace(SITE, max_user_cores=512), SERIAL, Cluster()).elements == 512
    assert shape_of(many, SITE, replace(SERIAL, max_user_jobs=50), Cluster()).elements == 50
    assert shape_of(many, SITE, replace(SERIAL, max_user_queued=50), Cluster()).elements == 49
    large = taking(600, 100_000, memory=2048 - 64)
    assert shape_of(large, replace(SITE, max_user_memory=20 * 1024), SERIAL, Cluster()).elements == 10
    gpus = taking(600, 100_000, gpus=1)
    assert shape_of(gpus, SITE, replace(GPU, max_user_gpus=6), Cluster()).elements == 6
