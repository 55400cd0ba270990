"""What travels to nodes and login nodes imports only the standard library, since nothing else is there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What each package that travels may import of Packhorse: itself. task*.py are sent with the worker.
PACKAGES = ("worker", "agent")
TRAVELLING = [
    *((name, path) for name in PACKAGES for path in sorted((ROOT / "src/packhorse" / name).rglob("*.py"))),
    ("worker", ROOT / "src/packhorse/task.py"),
    ("worker", ROOT / "src/packhorse/task_inputs.py"),
    ("worker", ROOT / "src/packhorse/task_values.py"),
]


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names of all modules that these statements import."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            names.add(node.module or "")
    return names


def at_once(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield every node that runs when the module is imported."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("name", PACKAGES)
def test_the_packages_that_travel_are_there(name: str) -> None:
    assert [path for package, path in TRAVELLING if package == name and not path.name.startswith("task")]


@pytest.mark.parametrize(
    ("package", "path"), TRAVELLING, ids=[f"{package}-{path.name}" for package, path in TRAVELLING]
)
def test_what_travels_needs_only_the_standard_library(package: str, path: Path) -> None:
    tree = ast.parse(path.read_text())
    everything = imported(ast.walk(tree))
    ours = {name for name in everything if name.partition(".")[0] == "packhorse"}
    beside = {"packhorse.task_inputs", "packhorse.task_values"} if package == "worker" else set()
    assert all(f"{name}.".startswith(f"packhorse.{package}.") for name in ours - beside)
    tops = {name.partition(".")[0] for name in everything - ours}
    foreign = tops - sys.stdlib_module_names
    # A task that asks for numpy's generator, or for an input, gets the libraries of its own environment.
    # A run of calls brings the cloudpickle that pickled them.
    brought = {"cloudpickle"} if path.name == "calls.py" else set()
    assert foreign <= brought | ({"numpy", "pyarrow"} if package == "worker" else set())
    assert not foreign & imported(at_once(tree))
