"""State is explicit: every attribute of an object is set by its own class, first in `__init__`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "packhorse"


def targets(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what a statement assigns to."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        yield node.target


def attributes(function: ast.AST, name: str) -> set[str]:
    """Return the attributes of a variable that a function assigns."""
    return {
        target.attr
        for node in ast.walk(function)
        for target in targets(node)
        if isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Name)
        and target.value.id == name
    }


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield every class of the package with its place."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield f"{path.relative_to(SOURCE)}:{node.name}", node


def declared(node: ast.ClassDef) -> set[str]:
    """Return the attributes that a class declares in its body or sets in `__init__` or `__enter__`."""
    names = {
        target.id for statement in node.body for target in targets(statement) if isinstance(target, ast.Name)
    }
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            names |= attributes(statement, "self")
    return names


def test_no_attribute_is_born_outside_init() -> None:
    everything = dict(classes())
    by_name = {node.name: node for node in everything.values()}
    born = []
    for place, node in everything.items():
        known = declared(node)
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in by_name:
                known |= declared(by_name[base.id])
        for function in node.body:
            if isinstance(function, ast.FunctionDef) and function.name != "__init__":
                born += [
                    f"{place}.{function.name}: {name}"
                    for name in sorted(attributes(function, "self") - known)
                ]
    assert born == []
