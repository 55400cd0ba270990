"""The reference is what docs/generate.py makes of the code as it is now, and names all that there is."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import click
import pytest

from docs.pages import REFERENCE, ROOT
from packhorse.cli.commands import COMMANDS, packhorse
from packhorse.cli.json_schemas import json_schema
from packhorse.cli.json_types import JSON_TYPES
from packhorse.model.errors import PackhorseError
from packhorse.study.template import BUILTIN
from packhorse.worker.space import Space
from packhorse.worker.tasks import environment
from packhorse.worker.tasks.slot_folders import SlotFolders
from packhorse.worker.tasks.task import Task

HANDWRITTEN = {"files.md"}


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """Load docs/generate.py, which is a script and no part of the package."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_pages_are_those_of_the_code(generate: ModuleType) -> None:
    fresh = generate.pages()
    assert {path.name for path in REFERENCE.glob("*.md")} == {*fresh, *HANDWRITTEN}, (
        "docs/reference has other pages: make docs"
    )
    for name, text in fresh.items():
        committed = (REFERENCE / name).read_text(encoding="utf-8")
        assert committed == text, f"docs/reference/{name} is not what the code says: make docs"


def test_the_committed_schemas_are_those_of_the_code(generate: ModuleType) -> None:
    fresh = generate.schemas()
    assert {f"schemas/{path.name}" for path in (REFERENCE / "schemas").iterdir()} == set(fresh), "make docs"
    for name, text in fresh.items():
        assert (REFERENCE / name).read_text(encoding="utf-8") == text, (
            f"docs/reference/{name} is old: make docs"
        )


def test_every_command_with_json_has_a_type() -> None:
    assert {name for name, command in commands() if "as_json" in {one.name for one in command.params}} == set(
        JSON_TYPES
    )


@pytest.mark.parametrize("command", JSON_TYPES)
def test_every_key_of_json_has_a_meaning(command: str, generate: ModuleType) -> None:
    for name, part in json_schema(command)["$defs"].items():
        if name not in generate.SITE_TYPES:
            assert [
                key for key, about in part.get("properties", {}).items() if not about.get("description")
            ] == []


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command and subcommand with its words."""
    context = click.Context(packhorse)
    for name in COMMANDS:
        command = packhorse.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                assert found is not None
                yield f"{name} {inner}", found


def test_every_placeholder_is_described(generate: ModuleType) -> None:
    assert set(generate.PLACEHOLDERS) - {"NAME", "--NAME", "NAME..."} == set(BUILTIN)


def test_every_variable_that_a_task_sees_is_described(generate: ModuleType) -> None:
    factor = {"names": ["NAME"], "levels": [[1], ["x" * 200_000]]}
    space = Space({"seed": 0, "seeding": "independent", "replicates": 1, "factors": [factor]})
    work: dict[str, Any] = {
        "directory": "",
        "folder": ".",
        "search": [],
        "environ": {},
        "unset": [],
        "cpus": 1,
    }
    work |= {"checkpoint": True, "total": 1, "deadline": 1, "library": "", "r_library": "", "mark": ""}
    work |= {"index_variable": None, "inputs": {"x": "x.npy"}}
    place = SlotFolders("", 0, work)
    base = environment.base_environment(work, place, {})
    found = {
        name
        for index in (0, 1)
        for name in environment.task_environment(Task(work, space, place, index), base)
    }
    assert found - set(environment.THREADS) == set(generate.VARIABLES)


def test_every_exit_code_is_described(generate: ModuleType) -> None:
    kinds: list[type[PackhorseError]] = [PackhorseError, *PackhorseError.__subclasses__()]
    codes = {str(kind.exit_code) for kind in kinds}
    assert codes <= set(generate.CODES)
