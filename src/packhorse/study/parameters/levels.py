"""The levels of a parameter: valid names, valid values, and when two values are equal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite
from typing import Any

from packhorse.model.space import canonical, text
from packhorse.text.node import INT64, Node, check_text, refuse

# How shells, R and schedulers write a range of whole numbers: 1-200, 1:200, 1..200.
SPAN = re.compile(r"(\d{1,9})(?:-|:|\.\.)(\d{1,9})", re.ASCII)
RESERVED = frozenset(
    ["index", "count", "replicate", "seed", "seed32", "output", "scratch", "checkpoint", "deadline", "params"]
)


def check_name(name: str, where: str) -> str:
    """Return the name of a parameter; refuse one that cannot be a placeholder, a column and a keyword argument."""
    if not (name.replace("-", "_").replace(".", "_").isidentifier() and name[0] not in "-."):
        hint = "Use letters, digits, _, - and ., and begin with a letter: learning_rate"
        refuse(where, f"'{name}' is not a valid name of a parameter.", hint)
    if name.startswith("ph_"):
        message = f"'{name}' begins with ph_, which is reserved for the columns of Packhorse."
        refuse(where, message, f"Choose another name, such as my_{name}")
    if name.partition(".")[0] in RESERVED:
        message = f"The name '{name}' is reserved: {{{name}}} in a command has a meaning of its own."
        refuse(where, message, f"Choose another name, such as my_{name}")
    return name


def level_value(node: Node) -> Any:
    """Return a value as a level: a finite number, a text, true, false, null, or a list of these."""
    value = node.value
    if isinstance(value, dict):
        hint = "Write a number, a text, true, false, null or a list."
        refuse(node, "A value must not be a mapping.", hint)
    if isinstance(value, list):
        return [level_value(child) for child in value]
    if value is None and not node.text and not node.quoted and node.where:
        refuse(node.key or node, "The value is missing.", "Write a value; write null for the empty value.")
    if isinstance(value, str):
        if not node.quoted and (span := SPAN.fullmatch(value)):
            _refuse_span(node, *map(int, span.groups()))
        return check_text(value, node.where)
    if isinstance(value, float) and not isfinite(value):
        message = f"{node.text or value} is not a finite number, so it cannot be a level."
        refuse(node, message, f"Write it as a text, in quotes: '{node.text.lstrip('.').lower() or 'nan'}'")
    if isinstance(value, int) and not -INT64 <= value < INT64:
        refuse(node, f"The integer {node.text} has more than 64 bits.", f"Write it as a text: '{node.text}'")
    return value


def _refuse_span(node: Node, first: int, last: int) -> None:
    """Refuse 1-200: its author meant either numbers or a text."""
    message = f"{node.text} is not a number, and as a text it would be one value."
    hint = f"For the numbers, write NAME: {{range: {{from: {first}, to: {last}}}}}; for the text, quote it: '{node.text}'"
    refuse(node, message, hint)


def level_text(node: Node | None, value: Any) -> Any:
    """Return how a level was written (1e3, 007, True); None where that is the text of its value.

    For a list, return a list of these, or None.
    """
    if node is None or node.quoted:
        return None
    if isinstance(value, list):
        items = [level_text(child, item) for child, item in zip(node.value, value, strict=True)]
        return items if any(item is not None for item in items) else None
    return None if not node.text or node.text == text(value) else node.text


def written_columns(columns: dict[str, list[Any]]) -> dict[str, tuple[Any, ...]]:
    """Return the columns of `level_text` that have any text."""
    return {
        name: tuple(texts) for name, texts in columns.items() if any(given is not None for given in texts)
    }


def identity(value: Any) -> Any:
    """Return a key that equal levels share: 1 and 1.0 are equal; 1, true and '1' are not."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, list | tuple):
        return canonical("", list(value))
    return (str, value) if isinstance(value, str) else value


def column(values: Iterable[Any], name: str, where: str) -> list[Any]:
    """Return the values of one parameter; if any is a float, its integers become floats."""
    levels = list(values)
    if not any(isinstance(value, float) for value in levels):
        return levels
    return [
        _as_float(v, name, where) if isinstance(v, int) and not isinstance(v, bool) else v for v in levels
    ]


def _as_float(value: int, name: str, where: str) -> float:
    if int(float(value)) != value:
        message = f"'{name}' has decimal numbers and {value}, which no decimal number represents exactly."
        refuse(where, message, f"Write all of them as integers, or this one as a text: '{value}'")
    return float(value)


def check_distinct(rows: Iterable[tuple[Any, ...]], places: list[str], what: str) -> None:
    """Refuse a repeated row; `places` are the positions of the rows, or one position for all."""
    seen: set[tuple[Any, ...]] = set()
    for number, row in enumerate(rows):
        mark = tuple(identity(value) for value in row)
        if mark in seen:
            shown = ", ".join(repr(value) for value in row)
            hint = (
                "Remove one (1, 1.0 and 01 are the same number; in quotes they are different texts); "
                "to repeat a point, write replicates: 2"
            )
            refuse(places[number if len(places) > 1 else 0], f"{what} has the value {shown} twice.", hint)
        seen.add(mark)
