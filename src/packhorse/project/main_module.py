"""The name by which a task imports a function, also a function of the running script."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packhorse.model.errors import StudyError

GUARD = 'if __name__ == "__main__":'


def importable_name(function: Callable[..., Any]) -> str:
    """Return `module:name` of a function; raise StudyError where another process could not import it."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", "")
    if not module or not name or "<" in name:
        shown = name or type(function).__name__
        hint = "Define it with def at the top level of a module, and pass that function, or 'module:name'."
        raise StudyError(
            f"A task cannot import {shown}: it is not a function at the top level of a module.", hint
        )
    if module != "__main__":
        return f"{module}:{name}"
    return f"{_main_module(name)}:{name}"


def _main_module(name: str) -> str:
    """Return the name under which the running script can be imported."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if not file or not Path(file).is_file():
        hint = f"Write it to a file beside the notebook, such as sim.py, and pass function='sim:{name}'."
        raise StudyError(f"A task cannot import {name}: it exists only in this notebook or prompt.", hint)
    path = Path(file)
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        module: str = spec.name  # started by python -m
    elif path.suffix == ".py" and path.stem.isidentifier():
        module = path.stem
    else:
        hint = f"Move it to a module such as sim.py, and pass function='sim:{name}'."
        raise StudyError(
            f"A task cannot import {name} from {path.name}: that is not a valid module name.", hint
        )
    if not _has_guard(path):
        hint = f"Write {GUARD} above the lines that make and run the study, or move {name} to a module of its own."
        raise StudyError(f"A task that imports {name} from {path.name} would run the whole script.", hint)
    return module


def _has_guard(path: Path) -> bool:
    """Return whether a script tests its `__name__` at the top level."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    tests = [statement.test for statement in tree.body if isinstance(statement, ast.If)]
    return any(
        isinstance(node, ast.Name) and node.id == "__name__" for test in tests for node in ast.walk(test)
    )
