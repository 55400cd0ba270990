"""The reader of site files and their JSON Schema know the same keys, and the shipped sites keep to both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from packhorse.model.errors import StudyError
from packhorse.model.site import Site
from packhorse.project.sites import find_site
from packhorse.runtime.site_files import SHIPPED_FOLDER
from packhorse.sites.keys import SITE, json_schema
from packhorse.sites.parse import parse_site
from packhorse.sites.parts import PARTITION, PARTS
from packhorse.text.keys import Key
from packhorse.text.node import Node, plain
from packhorse.text.yaml import parse_yaml

SCHEMA = jsonschema.Draft202012Validator(json_schema())
FILES = sorted(SHIPPED_FOLDER.glob("*.yaml"))


def read(text: str) -> Site:
    def base(node: Node) -> Site:
        return Site(name=str(node.value), title="another")

    return parse_site(text, name="ant", path="ant.yaml", base=base)


def faults(text: str) -> list[str]:
    return [error.message for error in SCHEMA.iter_errors(plain(parse_yaml(text, "ant.yaml")))]


def examples(table: dict[str, Key]) -> list[tuple[str, Any]]:
    return [(name, example) for name, key in table.items() for example in key.schema["examples"]]


def in_parts() -> list[tuple[str, str, Any]]:
    return [(part, name, example) for part, made in PARTS.items() for name, example in examples(made.table)]


def holds(part: str, inside: dict[str, Any]) -> str:
    """Return a file with one part in it."""
    name = "hosts" if part == "sources" else "p"
    return json.dumps({part: {name: inside} if PARTS[part].named else inside})


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_keys_are_those_of_the_values() -> None:
    assert set(SITE) - {"extends"} == set(Site.__struct_fields__) - {"name"}
    tables = [(key.part, key) for key in (*SITE.values(), PARTITION["kinds"]) if key.part is not None]
    assert {id(part) for part, _ in tables} >= {id(part) for part in PARTS.values()}
    for part, _ in tables:
        assert set(part.table) == set(part.makes.__struct_fields__) - {"name"}
        assert ("name" in part.makes.__struct_fields__) == part.named
    for key in (*SITE.values(), *(one for part, _ in tables for one in part.table.values())):
        assert key.schema["description"]
        assert key.schema["examples"]


@pytest.mark.parametrize(("name", "example"), examples(SITE))
def test_every_example_is_taken_by_both_and_changes_the_site(name: str, example: Any) -> None:
    text = json.dumps({name: example})
    assert not faults(text)
    assert read(text) != Site(name="ant")


@pytest.mark.parametrize(("part", "name", "example"), in_parts())
def test_every_example_within_a_part_is_taken_by_both_and_changes_it(
    part: str, name: str, example: Any
) -> None:
    text = holds(part, {name: example})
    assert not faults(text)
    assert getattr(read(text), part) != getattr(read(holds(part, {})), part)


@pytest.mark.parametrize(
    "text",
    [
        "partition: {}",
        "partitions: {a: {core: 1}}",
        "partitions: {a: {nodes: 0}}",
        "partitions: {a: 3}",
        "scheduler: sge",
        "array_mail: maybe",
        "storage: {a: {qouta: 1 GB}}",
        "partitions: {a: {kinds: {b: {gpu_s: 1}}}}",
        "partitions: {a: {purpose: [tests]}}",
        "access: {whom: me}",
        "retired: {since: '2020'}",
        "build_on: node",
        "max_jobs: many",
        "poll: 60",
    ],
)
def test_what_the_schema_refuses_the_reader_refuses_too(text: str) -> None:
    assert faults(text)
    with pytest.raises(StudyError):
        read(text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_sites_are_valid_and_say_what_they_are_and_where_it_is_from(path: Path) -> None:
    assert not faults(path.read_text(encoding="utf-8"))
    found = find_site(path.stem, Path("/"), retired=True)
    assert found.title
    assert sum(one.default for one in found.partitions) <= 1
    if found.scheduler != "local":
        assert found.source
        assert re.match(r"20\d\d", found.date)
        assert found.login or found.hosts
    if found.retired is not None:
        assert found.retired.successors
        assert found.retired.date


def test_what_is_right_for_what_is_said_where_storage_is(shipped: list[Site]) -> None:
    """No area that is purged, and no small home, is where runs go; every site with areas says where they go."""
    for site in shipped:
        if not site.storage or site.retired is not None:
            continue
        runs = site.area("runs")
        assert runs is not None, site.name
        assert runs.purge is None, site.name
        assert runs is not site.area("home"), site.name


@pytest.fixture
def shipped() -> list[Site]:
    return [find_site(path.stem, Path("/"), retired=True) for path in FILES]


def test_the_testbed_is_what_its_slurm_is_configured_to_be() -> None:
    found = find_site("testbed", Path("/"))
    sizes = {one.name: (one.nodes, one.cores, one.memory, one.gpus) for one in found.partitions}
    assert sizes == {"general": (4, 8, 16000, 0), "debug": (2, 8, 16000, 0), "gpu": (1, 8, 16000, 4)}
    limits = {one.name: (one.default_time, one.max_time, one.max_nodes) for one in found.partitions}
    day = 86400
    assert limits == {
        "general": (3600, 7 * day, None),
        "debug": (1800, 4 * 3600, 2),
        "gpu": (3600, 2 * day, None),
    }
    assert found.max_array_index == 10000
    assert found.default_memory == 100
    assert (found.poll, found.latency) == (1, 0.5)  # its waits are those of the tests
    assert found.array_mail
    assert found.compute_submits
    assert found.scratch == ""
