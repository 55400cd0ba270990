"""The design's list of modules, and what the travelling ones may import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAVELLING = [*sorted((ROOT / "src/packhorse/worker").rglob("*.py")), ROOT / "src/packhorse/task.py"]


def test_the_design_lists_every_module() -> None:
    printed = subprocess.run(
        [sys.executable, ROOT / "scripts/modules"], stdout=subprocess.PIPE, text=True, check=True
    )
    section = re.search(r"^## Modules\n(.*?)(?=^## |\Z)", (ROOT / "docs/design.md").read_text(), re.M | re.S)
    assert section
    listed = [line for line in section[1].splitlines() if line.startswith("* ")]
    assert listed == printed.stdout.splitlines(), "run: scripts/modules --write"


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


@pytest.mark.parametrize("path", TRAVELLING, ids=lambda path: path.name)
def test_what_travels_needs_only_the_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text())
    everything = imported(ast.walk(tree))
    ours = {name for name in everything if name.partition(".")[0] == "packhorse"}
    assert all(f"{name}.".startswith("packhorse.worker.") for name in ours)
    foreign = {name for name in everything - ours if name.partition(".")[0] not in sys.stdlib_module_names}
    # A task that asks for numpy's generator gets the one of its own environment, imported when asked for.
    assert foreign <= {"numpy"}
    assert not foreign & imported(at_once(tree))
