"""What a parameter may be called, which values it may have, and when two of them are the same."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from packhorse.model.space import canonical
from packhorse.text.node import Node, check_text, refuse

MOST_LEVELS = 10_000_000
RESERVED = frozenset(
    ["index", "count", "replicate", "seed", "seed32", "output", "scratch", "checkpoint", "deadline", "params"]
)


def check_name(name: str, where: str) -> str:
    """Return a parameter's name if it can be a placeholder, a column and a keyword."""
    if not (name.replace("-", "_").replace(".", "_").isidentifier() and name[0] not in "-."):
        hint = "Names are letters, digits, _, - and ., and begin with a letter: learning_rate."
        refuse(where, f"'{name}' cannot be a parameter's name.", hint)
    if name.startswith("ph_"):
        refuse(
            where,
            f"The name '{name}' begins with ph_, as Packhorse's own columns do.",
            "Choose another name.",
        )
    if name.partition(".")[0] in RESERVED:
        refuse(
            where,
            f"The name '{name}' is taken: {{{name}}} has a meaning of its own.",
            f"Call it my_{name}, for instance.",
        )
    return name


def level_value(node: Node) -> Any:
    """Return a value as a level: a finite number, a text, true, false, null, or a list of such."""
    value = node.value
    if isinstance(value, dict):
        refuse(node, "A value must not be a mapping.", "Write a number, a text, true, false, null or a list.")
    if isinstance(value, list):
        return [level_value(child) for child in value]
    if value is None and not node.text and not node.quoted and node.where:
        refuse(node.key or node, "There is no value here.", "Write one; the empty value is written null.")
    if isinstance(value, str):
        return check_text(value, node.where)
    if isinstance(value, float) and not isfinite(value):
        hint = f"Write it as a word in quotes: '{node.text.lstrip('.').lower() or 'nan'}'."
        refuse(
            node,
            f"{node.text or value} as a number equals nothing, or is without bound, so it cannot be a level.",
            hint,
        )
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        refuse(node, f"The integer {node.text} needs more than 64 bits.", "Write it in quotes, as a text.")
    return value


def identity(value: Any) -> Any:
    """Return what two equal levels share: 1 and 1.0 are equal, 1 and true and '1' are not."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, list | tuple):
        return canonical("", list(value))
    return (str, value) if isinstance(value, str) else value


def column(values: Iterable[Any], name: str, where: str) -> list[Any]:
    """Return one parameter's values, its integers as floats where any of them is a float."""
    kept = list(values)
    if not any(isinstance(value, float) for value in kept):
        return kept
    return [_as_float(v, name, where) if isinstance(v, int) and not isinstance(v, bool) else v for v in kept]


def _as_float(value: int, name: str, where: str) -> float:
    if int(float(value)) != value:
        hint = "Write all of them as integers, or this one in quotes."
        refuse(
            where,
            f"'{name}' holds decimal numbers and {value}, which a decimal number cannot hold exactly.",
            hint,
        )
    return float(value)


def check_distinct(rows: Iterable[tuple[Any, ...]], places: list[str], what: str) -> None:
    """Refuse a row that stands twice; `places` are the rows' positions, or one for all."""
    seen: set[tuple[Any, ...]] = set()
    for number, row in enumerate(rows):
        mark = tuple(identity(value) for value in row)
        if mark in seen:
            shown = ", ".join(repr(value) for value in row)
            hint = "Remove one (1 and 1.0 are the same number); to repeat a point, write replicates: 2."
            refuse(places[number if len(places) > 1 else 0], f"{what} has the value {shown} twice.", hint)
        seen.add(mark)
