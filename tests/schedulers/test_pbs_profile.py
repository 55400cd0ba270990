"""What a real TORQUE and a real OpenPBS told of their clusters, read to its meaning."""

from __future__ import annotations

import pytest

from packhorse.model.command import Answer
from packhorse.model.site_facts import SiteFacts
from packhorse.model.site_parts import NodeKind, Partition
from packhorse.schedulers.pbs.profile import profile
from packhorse.schedulers.scheduler import NoReply
from schedulers.captured import cases

HOUR = 3600
QUEUES, SERVER, VERSION = "qstat-Q-f", "qmgr-list-server", "qstat-version"


def told(*answers: Answer) -> SiteFacts | NoReply:
    """Lead the talk with these answers: queues, nodes, server, version."""
    steps = profile("alice")
    next(steps)
    for answer in answers:
        try:
            steps.send(answer)
        except StopIteration as end:
            return end.value
    raise AssertionError("the talk goes on")


def captured(version: str, nodes: str) -> list[Answer]:
    return [cases(version)[name].answer for name in (QUEUES, nodes, SERVER, VERSION)]


def test_torque_tells_its_queues_and_nodes() -> None:
    found = told(*captured("6.1.3", "pbsnodes-a-running"))
    assert isinstance(found, SiteFacts)
    assert (found.site.scheduler, found.site.scheduler_version) == ("torque", "6.1.3")
    size = {"nodes": 2, "cores": 2, "memory": 24106}
    assert found.site.partitions == (
        Partition(
            name="debug",
            default_time=HOUR // 2,
            max_time=4 * HOUR,
            max_nodes=1,
            max_user_queued=5,
            **size,
        ),
        Partition(name="stopped", doubt="it takes or starts no jobs now", **size),
        Partition(name="batch", default_time=HOUR, default=True, **size),
    )
    assert found.silent == ()


def test_openpbs_tells_its_queues_and_nodes() -> None:
    found = told(*captured("23.06.06", "pbsnodes-a"))
    assert isinstance(found, SiteFacts)
    assert (found.site.scheduler, found.site.scheduler_version) == ("openpbs", "23.06.06")
    assert found.site.max_array_index == 9999
    size = {"nodes": 1, "cores": 4, "memory": 24106}
    assert found.site.partitions[:2] == (
        Partition(name="workq", default=True, **size),
        Partition(
            name="debug",
            default_time=HOUR // 2,
            max_time=4 * HOUR,
            max_nodes=1,
            max_cores=2,
            max_user_queued=5,
            **size,
        ),
    )


@pytest.mark.parametrize(
    ("version", "case"), [("6.1.3", "pbsnodes-a-no-node-list"), ("6.1.3", "pbsnodes-server-stopped")]
)
def test_queues_are_told_without_nodes(version: str, case: str) -> None:
    found = told(*captured(version, case))
    assert isinstance(found, SiteFacts)
    assert {one.cores for one in found.site.partitions} == {None}
    assert found.silent[0].startswith("pbsnodes: ")


@pytest.mark.parametrize(
    ("version", "case"), [("6.1.3", "qstat-server-stopped"), ("23.06.06", "qstat-server-stopped")]
)
def test_a_server_that_is_away_is_silence(version: str, case: str) -> None:
    found = told(cases(version)[case].answer)
    assert isinstance(found, NoReply)
    assert found.why


def test_nodes_belong_to_the_queue_that_needs_their_property_or_is_named_there() -> None:
    queues = "Queue: fat\n    queue_type = Execution\n    resources_default.neednodes = big\n    acl_group_enable = True\n\nQueue: gpu\n    queue_type = Execution\n\nQueue: in\n    queue_type = Route\n"
    nodes = (
        "a\n     np = 8\n     properties = small\n\nb\n     np = 64\n     properties = big,ib\n     gpus = 2\n"
        "     status = opsys=linux,physmem=1048576kb\n\nc\n     resources_available.ncpus = 32\n     queue = gpu\n"
    )
    answers = [
        Answer(status=0, stdout=text) for text in (queues, nodes, "Server s\n    default_queue = gpu\n", "")
    ]
    found = told(*answers)
    assert isinstance(found, SiteFacts)
    fat, gpu = found.site.partitions
    assert fat == Partition(
        name="fat", nodes=1, cores=64, memory=1024, gpus=2, by_request=True, open_to="named groups"
    )
    assert [kind.cores for kind in gpu.kinds] == [8, 64, 32]
    assert gpu.default
    assert gpu.kinds[1] == NodeKind(name="64core1024M-2gpu", nodes=1, cores=64, memory=1024, gpus=2)
