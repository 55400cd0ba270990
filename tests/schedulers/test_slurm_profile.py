"""What real Slurms told of their clusters, each capture read to its meaning."""

from __future__ import annotations

import pytest

from packhorse.model.command import Answer
from packhorse.model.site_facts import SiteFacts
from packhorse.model.site_parts import NodeKind, Partition
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.slurm.profile import profile
from schedulers.captured import TESTBED, VERSIONS, cases

HOUR, DAY = 3600, 86400
NONE = Answer(status=1, stderr="not captured")


def told(*answers: Answer, user: str = "alice") -> SiteFacts | NoReply:
    """Lead the talk with these answers: config, partitions, nodes, QOS, associations."""
    steps = profile(user)
    next(steps)
    for answer in answers:
        try:
            steps.send(answer)
        except StopIteration as end:
            return end.value
    raise AssertionError("the talk goes on")


def captured(version: str, **other: Answer) -> list[Answer]:
    names = {
        "config": "scontrol_show_config",
        "partitions": "scontrol_show_partition_oneline",
        "nodes": "sinfo_pinned_exact",
        "qos": "sacctmgr_show_qos_format",
        "own": "sacctmgr_show_assoc_user",
    }
    if version == TESTBED:
        names |= {"partitions": "scontrol_show_partition", "nodes": "sinfo_pinned"}
    found = cases(version)
    return [other.get(key) or (found[name].answer if name in found else NONE) for key, name in names.items()]


GENERAL = Partition(
    name="general", nodes=4, cores=8, memory=16000, default_time=HOUR, max_time=7 * DAY, default=True
)
DEBUG = Partition(
    name="debug", nodes=2, cores=8, memory=16000, default_time=HOUR // 2, max_time=4 * HOUR, max_nodes=2
)
GPU = Partition(
    name="gpu",
    nodes=1,
    cores=8,
    memory=16000,
    gpus=4,
    gres="gpu:a100",
    default_time=HOUR,
    max_time=2 * DAY,
)


@pytest.mark.parametrize("version", [*VERSIONS, TESTBED])
def test_every_version_tells_the_same_cluster(version: str) -> None:
    found = told(*captured(version))
    assert isinstance(found, SiteFacts)
    assert found.site.scheduler_version == version.removesuffix("-testbed")
    assert (found.site.max_array_index, found.site.default_memory) == (10000, 100)
    by_name = {one.name: one for one in found.site.partitions}
    assert [by_name[name] for name in ("general", "debug", "gpu")] == [GENERAL, DEBUG, GPU]
    if version != TESTBED:
        assert by_name["closed"].doubt == "its state was DOWN"
        assert found.silent == ()
        assert {"max_jobs", "max_user_cores"} <= found.facts
    else:
        assert "max_jobs" not in found.facts, "without accounting nobody knows"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_accounting_says_what_one_user_may_have(version: str) -> None:
    bob = Answer(status=0, stdout="testbed|lab|bob||normal||1|3||\n")
    found = told(*captured(version, own=bob))
    assert isinstance(found, SiteFacts)
    assert found.site.max_jobs == 3
    short = Answer(status=0, stdout="testbed|lab|carol||short||||\n")
    found = told(*captured(version, own=short))
    assert isinstance(found, SiteFacts)
    assert found.site.max_jobs == 2


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", ["ctlddown_scontrol_config", "nomunge_scontrol_job"])
def test_a_controller_that_does_not_answer_is_silence_and_no_empty_cluster(version: str, case: str) -> None:
    found = cases(version).get(case)
    if found is None:
        pytest.skip(f"{case} was not captured of {version}")
    said = told(found.answer)
    assert isinstance(said, NoReply)
    assert said.why


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", ["dbddown_sacctmgr", "acctoff_sacctmgr"])
def test_partitions_are_told_without_accounting(version: str, case: str) -> None:
    down = cases(version)[case].answer
    found = told(*captured(version, qos=down, own=down))
    assert isinstance(found, SiteFacts)
    assert any(one.startswith("sacctmgr: ") for one in found.silent)
    assert "max_user_gpus" not in found.partition_facts
    assert GENERAL in found.site.partitions


def test_limits_of_a_partition_s_qos_and_closed_and_unlike_nodes_are_read() -> None:
    line = (
        "PartitionName=gpu-medium AllowGroups=astro,staff AllowAccounts=ALL AllowQos=ALL Default=NO QoS=medium "
        "DefaultTime=NONE Hidden=NO MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=2 MaxCPUsPerNode=30 RootOnly=NO "
        "OverSubscribe=EXCLUSIVE State=UP TotalCPUs=352 TotalNodes=10 MaxMemPerNode=UNLIMITED\n"
        "PartitionName=secret Hidden=YES State=UP TotalNodes=1\n"
    )
    nodes = (
        "gpu-medium|up|2-00:00:00|7|32|192000|gpu:tesla_v100-pcie-32gb:3(S:0-1)|idle|x\n"
        "gpu-medium|up|2-00:00:00|1|32|192000|gpu:tesla_v100-pcie-32gb:3(S:0-1)|mixed|x\n"
        "gpu-medium|up|2-00:00:00|2|48|512000|gpu:nvidia_h200_nvl:2,shard:8|allocated|x\n"
    )
    qos = "normal|0||||||\nmedium|0|2-00:00:00|cpu=64,gres/gpu=6,mem=1T|4|9||\n"
    (found,) = _partitions(line, nodes, qos)
    assert found == Partition(
        name="gpu-medium",
        nodes=10,
        cores=30,
        memory=192000,
        gpus=3,
        gres="gpu:tesla_v100-pcie-32gb",
        kinds=(
            NodeKind(
                name="32core192000M-3tesla_v100-pcie-32gb",
                nodes=8,
                cores=32,
                memory=192000,
                gpus=3,
                gres="gpu:tesla_v100-pcie-32gb",
            ),
            NodeKind(
                name="48core512000M-2nvidia_h200_nvl",
                nodes=2,
                cores=48,
                memory=512000,
                gpus=2,
                gres="gpu:nvidia_h200_nvl",
            ),
        ),
        max_time=2 * DAY,
        min_nodes=2,
        max_user_jobs=4,
        max_user_queued=9,
        max_user_gpus=6,
        by_request=True,
        open_to="open only to the groups astro, staff",
        whole_nodes=True,
    )


def _partitions(shown: str, nodes: str, qos: str) -> tuple[Partition, ...]:
    config = Answer(status=0, stdout="MaxArraySize = 1001\nDefMemPerCPU = UNLIMITED\n")
    answers = [Answer(status=0, stdout=text) for text in (shown, nodes, qos, "c|a|u||normal||||\n")]
    found = told(config, *answers)
    assert isinstance(found, SiteFacts)
    assert (found.site.max_array_index, found.site.default_memory) == (1000, None)
    return found.site.partitions
