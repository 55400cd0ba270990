"""The reference is what docs/generate.py makes of the code as it is now, and names all that there is."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest

from docs.pages import REFERENCE, ROOT
from packhorse.model.errors import PackhorseError
from packhorse.study.template import BUILTIN
from packhorse.worker.space import Space
from packhorse.worker.tasks import environment
from packhorse.worker.tasks.slot_folders import SlotFolders
from packhorse.worker.tasks.task import Task


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
    assert {path.name for path in REFERENCE.glob("*.md")} == set(fresh), (
        "docs/reference has other pages: make docs"
    )
    for name, text in fresh.items():
        committed = (REFERENCE / name).read_text(encoding="utf-8")
        assert committed == text, f"docs/reference/{name} is not what the code says: make docs"


def test_every_placeholder_is_described(generate: ModuleType) -> None:
    assert set(generate.PLACEHOLDERS) - {"NAME"} == set(BUILTIN)


def test_every_variable_that_a_task_sees_is_described(generate: ModuleType) -> None:
    factor = {"names": ["NAME"], "levels": [[1]]}
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
    work |= {"index_variable": None}
    place = SlotFolders("", 0, work)
    task = Task(work, space, place, 0)
    found = set(environment.task_environment(task, environment.base_environment(work, place, {}))) - set(
        environment.THREADS
    )
    assert found == set(generate.VARIABLES)


def test_every_exit_code_is_described(generate: ModuleType) -> None:
    kinds: list[type[PackhorseError]] = [PackhorseError, *PackhorseError.__subclasses__()]
    codes = {str(kind.exit_code) for kind in kinds}
    assert codes <= set(generate.CODES)
