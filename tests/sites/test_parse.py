"""A site's file: every key finds its place, every error stands at its place, and sites extend each other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from packhorse.model.errors import StudyError
from packhorse.model.site import Site
from packhorse.model.site_parts import Archive, Partition
from packhorse.sites.parse import parse_site
from packhorse.text.node import Node, refuse
from sites.full import ANT, FULL, SHORT, STORAGE, WORK


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
    assert found.partition("short") == SHORT
    assert found.partition("long") is None


def test_what_is_not_said_is_not_known() -> None:
    assert site("title: x") == Site(name="ant", title="x")


def test_a_site_says_only_what_differs_from_the_one_it_extends() -> None:
    text = "extends: ant\nmax_jobs: 9\npartitions: {work: {max_time: 1 day}, short: null, new: {cores: 2}}"
    work = replace(WORK, max_time=86400)
    rest = (work, Partition(name="bare"), Partition(name="new", cores=2))
    assert site(text, "bee", {"ant": ANT}) == replace(
        ANT, name="bee", aliases=(), max_jobs=9, partitions=rest
    )


def test_parts_of_the_other_site_are_kept_key_by_key_and_taken_away_by_null() -> None:
    text = "extends: ant\nretired: null\narchive: null\nmodules: {r: r/5}\nstorage: {quick: {purge: 9 days}, node: null}\n"
    text += "max_jobs: null\npartitions: {work: {max_time: null}}"
    found = site(text, "bee", {"ant": ANT})
    assert (found.retired, found.max_jobs, found.partitions[0].max_time) == (None, None, None)
    assert found.archive == Archive()
    assert found.modules == replace(ANT.modules, r="r/5")
    assert found.storage == (STORAGE[0], replace(STORAGE[1], purge=9 * 86400))


def test_the_first_place_with_a_purpose_is_the_one_for_it() -> None:
    assert ANT.area("runs") == STORAGE[1]
    assert ANT.area("code") == STORAGE[0]
    assert ANT.area("archive") is None


def test_other_words_mean_a_site_in_any_case_and_not_one_that_extends_it() -> None:
    assert all(ANT.is_called(word) for word in ("ant", "Ant", "hill", "The-Hill"))
    assert not ANT.is_called("bee")
    assert not site("extends: ant", "bee", {"ant": ANT}).is_called("hill")


def test_a_partition_without_a_word_under_it_stays_as_it_was() -> None:
    assert site("extends: ant\npartitions:\n  work:", "bee", {"ant": ANT}) == replace(
        ANT, name="bee", aliases=()
    )


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
        ("partitions: {a b: {}}", "1:14", "valid name of a partition", "one word"),
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
        ("partitions:\n a: {default: true}\n b: {default: true}", "3:15", "'a' and 'b'", "one of them only"),
        ("partitions: {a: null}", "1:14", "no partition 'a'", "extends"),
        ("extends: bee", "1:10", "no site bee", "another"),
        ("extends: [bee]", "1:10", "must be a text", "one text"),
        ("scheduler: sge", "1:12", "slurm, torque, openpbs, local", "Allowed: "),
        ("hosts: 'login[12]'", "1:8", "not a pattern of host names", "login*"),
        ("hosts: '*'", "1:8", "not a pattern of host names", "login*"),
        ("max_array_index: -1", "1:18", "at least 0", "whole number"),
        ("array_mail: 'no'", "1:13", "true or false", "without quotes"),
        ("scratch: $(rm -r x)", "1:10", "must be a path", "$TMPDIR"),
        ("scratch: '$TMPDIR\"; x'", "1:10", "must be a path", "$TMPDIR"),
        ("login: -oProxyCommand=x", "1:8", "a destination of ssh", "me@host.example.org"),
        ("login: ant example", "1:8", "a destination of ssh", "me@host.example.org"),
        ("login: ant:2222", "1:8", "a destination of ssh", "ssh://me@host"),
        ("login: [ant]", "1:8", "a destination of ssh", "me@host"),
        ("aliases: [one two]", "1:11", "one word", "without spaces"),
        ("partitions: {a: {purpose: [gpu, tests]}}", "1:33", "serial, parallel", "Did you mean 'test'"),
        (
            "partitions: {a: {kinds: {b: {gpu_s: 1}}}}",
            "1:30",
            "'b' has no key 'gpu_s'",
            "Did you mean 'gpus'",
        ),
        ("partitions: {a: {min_nodes: 3, max_nodes: 2}}", "1:29", "more than its max_nodes", "Correct one"),
        ("storage: {a: {path: relative}}", "1:21", "must be a path", "absolute path"),
        ("storage: {a: {path: $HOME/$(x)}}", "1:21", "must be a path", "absolute path"),
        ("storage: {a: {quota: 100}}", "1:22", "no unit", "'100 MB'"),
        ("storage: {a: {purge: 60}}", "1:22", "no unit", "'60 min'"),
        ("storage: {a: {purge_clock: read}}", "1:28", "write, access", "Allowed: "),
        ("storage: {a: {inode: 1}}", "1:15", "no key 'inode'", "Did you mean 'inodes'"),
        ("storage: {a: null}", "1:11", "no storage area 'a'", "extends"),
        ("access: {whom: me}", "1:10", "no key 'whom'", "Did you mean 'who'"),
        ("access: me", "1:9", "must be a mapping", "key: value"),
        ("quota_commands: 'quota | tail'", "1:17", "one program each", "lfs quota"),
        ('quota_commands: "quota \'"', "1:17", "No closing quotation", "Close"),
        (
            "sources: {host: {date: 2023}}",
            "1:11",
            "sources names 'host', which is not a key",
            "Did you mean 'hosts'",
        ),
        ("retired: {successor: x}", "1:11", "no key 'successor'", "Did you mean 'successors'"),
        ("build_on: node", "1:11", "login, job", "Allowed: "),
        ("sessions: 0", "1:11", "at least 1", "whole number"),
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
    with pytest.raises(StudyError, match="is not a valid site name"):
        site("title: x", name)


@given(st.text(alphabet=st.sampled_from("abc:{}[]-\n 12'\"&*!#|>%@`,?~\t\\"), max_size=40))
def test_any_text_is_a_site_or_an_error_with_a_place(text: str) -> None:
    try:
        told = site(text).name
    except StudyError as error:
        told = error.where.partition(".yaml:")[0] if error.hint else ""
    assert told == "ant"
