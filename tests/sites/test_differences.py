"""What a cluster tells beside what its file says: each kind of difference, and the file that follows from it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from packhorse.model.site import Partition, Site
from packhorse.model.site_facts import SiteFacts
from packhorse.model.site_parts import NodeKind
from packhorse.project.sites import known_sites
from packhorse.runtime.site_files import SHIPPED_FOLDER
from packhorse.sites.differences import Change, differences, update_site
from packhorse.sites.parse import parse_site
from packhorse.sites.write import site_text
from sites.full import ANT

WORK = Partition(name="work", nodes=40, cores=64, memory=250_000, max_time=259_200, default=True, max_nodes=8)
SHORT = Partition(name="short", nodes=4, cores=64, memory=250_000, max_time=1800, test=True)
GPU = Partition(name="gpu", nodes=2, cores=32, memory=500_000, gpus=4, gres="gpu:a100", max_time=86_400)
KNOWN = Site(
    name="ant", title="Ants", partitions=(WORK, SHORT, GPU), max_array_index=1000, default_memory=2000
)
FACTS = frozenset({"partitions", "max_array_index", "default_memory", "scheduler_version"})
PARTITION_FACTS = frozenset(
    {"nodes", "cores", "memory", "gpus", "gres", "kinds", "max_time", "max_nodes", "default"}
)


def told(*partitions: Partition, **facts: object) -> SiteFacts:
    site = replace(Site(name="", max_array_index=1000, default_memory=2000, partitions=partitions), **facts)
    return SiteFacts(site=site, facts=FACTS, partition_facts=PARTITION_FACTS)


def said(*partitions: Partition, **facts: object) -> list[Change]:
    return differences(KNOWN, told(*partitions, **facts))


PLAIN_SHORT = replace(SHORT, test=False)  # no machine tells what a partition is meant for


def test_a_cluster_that_is_as_it_was_has_no_difference() -> None:
    assert said(WORK, PLAIN_SHORT, GPU) == []
    assert said(GPU, PLAIN_SHORT, WORK) == [], "the order says nothing"


@pytest.mark.parametrize(
    ("partitions", "facts", "change"),
    [
        (
            (replace(WORK, max_time=86_400), PLAIN_SHORT, GPU),
            {},
            ("changed", "work", "max_time", "3 days", "1 day"),
        ),
        ((replace(WORK, max_time=None), PLAIN_SHORT, GPU), {}, ("changed", "work", "max_time", "3 days", "")),
        ((WORK, replace(PLAIN_SHORT, max_nodes=1), GPU), {}, ("learned", "short", "max_nodes", "", "1")),
        ((WORK, PLAIN_SHORT, replace(GPU, gpus=3)), {}, ("changed", "gpu", "gpus", "4", "3")),
        (
            (WORK, PLAIN_SHORT, replace(GPU, gres="gpu:h100")),
            {},
            ("changed", "gpu", "gres", "gpu:a100", "gpu:h100"),
        ),
        ((WORK, replace(PLAIN_SHORT, name="quick"), GPU), {}, ("renamed", "short", "", "short", "quick")),
        ((WORK, PLAIN_SHORT), {}, ("gone", "gpu", "", "", "")),
        ((WORK, PLAIN_SHORT, GPU, Partition(name="new")), {}, ("new", "new", "", "", "")),
        (
            (WORK, PLAIN_SHORT, GPU),
            {"max_array_index": 500},
            ("changed", "", "max_array_index", "1000", "500"),
        ),
        (
            (WORK, PLAIN_SHORT, GPU),
            {"default_memory": None},
            ("changed", "", "default_memory", "2000 MiB", ""),
        ),
        (
            (WORK, PLAIN_SHORT, GPU),
            {"scheduler_version": "23.11"},
            ("learned", "", "scheduler_version", "", "23.11"),
        ),
    ],
)
def test_each_difference_is_named_alone_and_gone_once_the_file_follows(
    partitions: tuple[Partition, ...], facts: dict[str, object], change: tuple[str, ...]
) -> None:
    (one,) = said(*partitions, **facts)
    assert (one.how, one.partition, one.key, one.file, one.cluster) == change
    followed = update_site(KNOWN, told(*partitions, **facts))
    assert differences(followed, told(*partitions, **facts)) == []
    assert followed.title == "Ants"


def test_a_renamed_partition_keeps_what_no_machine_tells_and_its_old_name() -> None:
    followed = update_site(KNOWN, told(WORK, replace(PLAIN_SHORT, name="quick"), GPU))
    assert followed.partition("quick") == replace(SHORT, name="quick", was=("short",))
    assert [one.name for one in followed.partitions] == ["work", "quick", "gpu"]


def test_two_partitions_that_are_nothing_alike_are_one_gone_and_one_new() -> None:
    found = said(WORK, PLAIN_SHORT, Partition(name="huge", nodes=1, cores=256, memory=4_000_000))
    assert sorted((one.how, one.partition) for one in found) == [("gone", "gpu"), ("new", "huge")]


def test_where_nodes_are_not_alike_a_file_is_right_about_any_kind() -> None:
    kinds = (
        NodeKind(name="a", cores=32, memory=500_000, gpus=4, gres="gpu:a100"),
        NodeKind(name="b", cores=48),
    )
    assert said(WORK, PLAIN_SHORT, replace(GPU, cores=48, kinds=kinds)) == []
    (one,) = said(WORK, PLAIN_SHORT, replace(GPU, cores=48, kinds=kinds[1:]))
    assert one.key == "cores"


def test_a_fact_that_was_not_told_is_no_difference() -> None:
    silent = SiteFacts(
        site=Site(name=""), facts=frozenset({"scheduler_version"}), partition_facts=frozenset()
    )
    assert differences(KNOWN, silent) == []
    assert update_site(KNOWN, silent) == KNOWN


@pytest.mark.parametrize(
    "site", [*(one.site for one in known_sites(SHIPPED_FOLDER)), ANT], ids=lambda site: site.name
)
def test_a_site_is_written_as_it_is_read(site: Site) -> None:
    text = site_text(site, ["A comment."])
    assert text.startswith("# A comment.\n")
    assert parse_site(text, name=site.name, path="x", base=lambda _: site) == site
