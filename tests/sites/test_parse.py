"""A site's file: every key finds its place, every error stands at its place, and sites extend each other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from packhorse.model.errors import StudyError
from packhorse.model.site import Partition, Site
from packhorse.sites.parse import parse_site
from packhorse.text.node import Node, refuse

FULL = """\
title: The ants' cluster
scheduler: torque
hosts: [ant.example.org, ant-login?]
partitions:
  work:
    nodes: 40
    cores: 64
    memory: 250 GB
    gpus: 4
    gres: gpu:a100
    default_time: 1 h
    max_time: 3 days
    max_nodes: 8
    default: true
    test: false
    by_request: true
    whole_nodes: true
  "short": {test: true}
  bare:
max_array_index: 1000
max_jobs: 500
default_memory: 1.5 GB
account_needed: true
array_mail: false
compute_submits: false
setup: [source /etc/profile, ulimit -c 0]
scratch: /scratch/$USER
poll: 90 s
latency: 500 ms
source: https://ant.example.org
date: 2026-11-23
"""
WORK = Partition(
    name="work",
    nodes=40,
    cores=64,
    memory=250 * 1024,
    gpus=4,
    gres="gpu:a100",
    default_time=3600,
    max_time=3 * 86400,
    max_nodes=8,
    default=True,
    by_request=True,
    whole_nodes=True,
)
ANT = Site(
    name="ant",
    title="The ants' cluster",
    scheduler="torque",
    hosts=("ant.example.org", "ant-login?"),
    partitions=(WORK, Partition(name="short", test=True), Partition(name="bare")),
    max_array_index=1000,
    max_jobs=500,
    default_memory=1536,
    account_needed=True,
    array_mail=False,
    compute_submits=False,
    setup=("source /etc/profile", "ulimit -c 0"),
    scratch="/scratch/$USER",
    poll=90.0,
    latency=0.5,
    source="https://ant.example.org",
    date="2026-11-23",
)


def site(text: str, name: str = "ant", others: Mapping[str, Site] | None = None) -> Site:
    def base(node: Node) -> Site:
        if node.value not in (others or {}):
            refuse(node, f"no site {node.value}", "name another")
        return (others or {})[node.value]

    return parse_site(text, name=name, path=f"{name}.yaml", base=base)


def test_every_key_finds_its_place() -> None:
    found = site(FULL)
    assert found == ANT
    said = to_builtins(found)
    assert set(said) == set(found.__struct_fields__), "the test says every key differently from its default"
    assert found.partition("short") == Partition(name="short", test=True)
    assert found.partition("long") is None


def test_what_is_not_said_is_not_known() -> None:
    assert site("title: x") == Site(name="ant", title="x")


def test_a_site_says_only_what_differs_from_the_one_it_extends() -> None:
    text = "extends: ant\nmax_jobs: 9\npartitions: {work: {max_time: 1 day}, short: null, new: {cores: 2}}"
    work = replace(WORK, max_time=86400)
    assert site(text, "bee", {"ant": ANT}) == replace(
        ANT, name="bee", max_jobs=9, partitions=(work, Partition(name="bare"), Partition(name="new", cores=2))
    )


def test_a_partition_without_a_word_under_it_stays_as_it_was() -> None:
    assert site("extends: ant\npartitions:\n  work:", "bee", {"ant": ANT}) == replace(ANT, name="bee")


def test_the_newest_word_on_the_default_partition_counts() -> None:
    found = site("extends: ant\npartitions: {short: {default: true}}", "bee", {"ant": ANT})
    assert [one.name for one in found.partitions if one.default] == ["short"]


def test_login_nodes_are_known_by_pattern_and_by_first_label() -> None:
    assert ANT.has_login("ant.example.org")
    assert ANT.has_login("ANT.Example.org.")
    assert ANT.has_login("ant-login3")
    assert ANT.has_login("ant-login3.example.org")
    assert not ANT.has_login("ant-login33")
    assert not ANT.has_login("ant.example.com")
    assert not ANT.has_login("ant")
    assert not Site(name="none").has_login("")


@pytest.mark.parametrize(
    ("text", "where", "message", "hint"),
    [
        ("partition: {}", "1:1", "no key 'partition'", "Did you mean 'partitions'"),
        ("partitions: {a: {core: 4}}", "1:18", "no key 'core'", "Did you mean 'cores'"),
        ("partitions: [a]", "1:13", "must be a mapping", "key: value"),
        ("partitions: {a: 4}", "1:17", "must be a mapping", "key: value"),
        ("partitions: {a b: {}}", "1:14", "partition's name", "one word"),
        ("partitions: {a: {cores: 0}}", "1:25", "at least 1", "whole number"),
        ("partitions: {a: {memory: 16000}}", "1:26", "no unit", "'16000 MB'"),
        ("partitions: {a: {max_time: 7}}", "1:28", "no unit", "'7 min'"),
        ("partitions: {a: {default: yes}}", "1:27", "true or false", "without quotes"),
        ("partitions: {a: {gres: gpu a100}}", "1:24", "one word", "without spaces"),
        (
            "partitions: {a: {max_time: 1 h, default_time: 2 h}}",
            "1:47",
            "longer than its max_time",
            "Correct one",
        ),
        ("partitions:\n a: {default: true}\n b: {default: true}", "3:15", "'a' and 'b'", "Keep"),
        ("partitions: {a: null}", "1:14", "no partition 'a'", "extends"),
        ("extends: bee", "1:10", "no site bee", "another"),
        ("extends: [bee]", "1:10", "must be a text", "one text"),
        ("scheduler: sge", "1:12", "slurm, torque, local", "Known here"),
        ("hosts: 'login[12]'", "1:8", "no pattern of host names", "login*"),
        ("hosts: '*'", "1:8", "no pattern of host names", "login*"),
        ("max_array_index: -1", "1:18", "at least 0", "whole number"),
        ("array_mail: 'no'", "1:13", "true or false", "without quotes"),
        ("scratch: $(rm -r x)", "1:10", "scratch cannot be", "$TMPDIR"),
        ("scratch: '$TMPDIR\"; x'", "1:10", "scratch cannot be", "$TMPDIR"),
        ("poll: 60", "1:7", "no unit", "'60 s'"),
        ("date: last week", "1:7", "must be a date", "2026-11"),
        ("", "1:1", "empty", "title: Our cluster"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(text: str, where: str, message: str, hint: str) -> None:
    with pytest.raises(StudyError) as caught:
        site(text)
    assert caught.value.where == f"ant.yaml:{where}"
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_partition_that_the_other_site_lacks_cannot_be_taken_away() -> None:
    with pytest.raises(StudyError) as caught:
        site("extends: ant\npartitions: {wrk: null}", "bee", {"ant": ANT})
    assert caught.value.where == "bee.yaml:2:14"
    assert "Did you mean 'work'?" in caught.value.hint


def test_times_that_clash_only_together_are_refused_too() -> None:
    with pytest.raises(StudyError, match="longer than its max_time") as caught:
        site("extends: ant\npartitions: {work: {max_time: 30 min}}", "bee", {"ant": ANT})
    assert caught.value.where == "bee.yaml:2:31"


@pytest.mark.parametrize("name", ["", "a b", ".hidden", "-x", "a/b"])
def test_a_name_that_no_command_could_be_given_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match="cannot be a site's name"):
        site("title: x", name)


@given(st.text(alphabet=st.sampled_from("abc:{}[]-\n 12'\"&*!#|>%@`,?~\t\\"), max_size=40))
def test_any_text_is_a_site_or_an_error_with_a_place(text: str) -> None:
    try:
        told = site(text).name
    except StudyError as error:
        told = error.where.partition(".yaml:")[0] if error.hint else ""
    assert told == "ant"
