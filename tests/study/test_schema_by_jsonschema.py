"""An independent validator takes the schema, and by it what the reader takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from packhorse.model.errors import StudyError
from packhorse.study import keys
from packhorse.study.parse import parse_study
from packhorse.study.schema import json_schema
from packhorse.text.node import plain
from packhorse.text.yaml import parse_yaml

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "examples").glob("*/study.yaml"))
SCHEMA = jsonschema.Draft202012Validator(json_schema())


def faults(text: str) -> list[str]:
    return [error.message for error in SCHEMA.iter_errors(plain(parse_yaml(text, "study.yaml")))]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
def test_the_examples_are_valid(path: Path) -> None:
    assert not faults(path.read_text())


def test_there_are_examples() -> None:
    assert len(STUDIES) >= 6


@pytest.mark.parametrize(
    ("key", "example"),
    [(name, example) for name, key in keys.STUDY.items() for example in key.schema["examples"]],
)
def test_every_example_of_a_key_is_valid(key: str, example: Any) -> None:
    given = {key: example} if key in ("command", "function") else {"command": "run", key: example}
    assert not list(SCHEMA.iter_errors(given))


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("resources", keys.RESOURCES),
        ("cluster", keys.CLUSTER),
        ("environment", keys.ENVIRONMENT),
        ("summary", keys.SUMMARY),
    ],
)
def test_every_example_of_an_inner_key_is_valid(name: str, table: keys.Table) -> None:
    for key, entry in table.items():
        for example in entry.schema["examples"]:
            assert not list(SCHEMA.iter_errors({"command": "run", name: {key: example}}))


@pytest.mark.parametrize(
    ("key", "example"),
    [(name, example) for name, key in keys.GENERATORS.items() for example in key.schema["examples"]],
)
def test_every_example_of_a_generator_is_valid(key: str, example: Any) -> None:
    assert not list(SCHEMA.iter_errors({"command": "run", "parameters": {"x": {key: example}}}))


WRONG = [
    "comand: run",
    "name: s",
    "command: run\nfunction: sim:f",
    "command: run\nreplicates: 0",
    "command: run\nreplicates: many",
    "command: run\nseeding: random",
    "command: run\nresources: {cpu: 1}",
    "command: run\nresources: {time: 90}",
    "command: run\nresult: {file: a.csv, format: excel}",
    "command: run\nparameters: {n: {rang: [0, 3]}}",
    "command: run\nshell: perhaps",
    "command: run\ncluster: {queue: long}",
    "command: run\ncluster: {mail_when: often}",
    "command: run\ncluster: {max_jobs: 0}",
    "command: run\ncluster: {max_core_hours: 0}",
    "command: run\nresources: {cpus: 100001}",
    "command: run\nretries: 1001",
    "command: run\nsummary: {quantiles: [1.5]}",
    "command: run\nenvironment: {}",
    "command: run\nparameters: {n: {linspace: [0, 1, 2.5]}}",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_the_schema_refuses_the_reader_refuses_too(text: str) -> None:
    assert faults(text)
    with pytest.raises(StudyError):
        parse_study(text, path="study.yaml", read=lambda _: b"")
