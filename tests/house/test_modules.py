"""The design's list of modules, and what the travelling ones may import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAVELLING = [*sorted((ROOT / "src/packhorse/worker").glob("*.py")), ROOT / "src/packhorse/task.py"]


def test_the_design_lists_every_module() -> None:
    printed = subprocess.run(
        [sys.executable, ROOT / "scripts/modules"], stdout=subprocess.PIPE, text=True, check=True
    )
    section = re.search(r"^## Modules\n(.*?)(?=^## |\Z)", (ROOT / "docs/design.md").read_text(), re.M | re.S)
    assert section
    listed = [line for line in section[1].splitlines() if line.startswith("* ")]
    assert listed == printed.stdout.splitlines(), "run: scripts/modules --write"


def imported(tree: ast.AST) -> set[str]:
    """Return the names of all modules that a source imports, wherever the import stands."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", TRAVELLING, ids=lambda path: path.name)
def test_what_travels_needs_only_the_standard_library(path: Path) -> None:
    # numpy: task.rng() gives a numpy generator where the task's own environment has numpy.
    allowed = {"packhorse", "numpy"} if path.name == "task.py" else {"packhorse"}
    names = imported(ast.parse(path.read_text()))
    assert {name.partition(".")[0] for name in names} - allowed <= set(sys.stdlib_module_names)
    ours = {name for name in names if name.startswith("packhorse")}
    assert all(name == "packhorse.worker" or name.startswith("packhorse.worker.") for name in ours)
