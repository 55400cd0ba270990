"""Plain values -> the YAML of a study file, and the study of one line of `packhorse map`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from packhorse.model.errors import UsageError
from packhorse.study.levels import check_name
from packhorse.text.write import yaml_text
from packhorse.text.yaml import resolve


def study_text(study: Mapping[str, Any]) -> str:
    """Return the text of a study file that reads back as the same mapping of plain values."""
    return yaml_text(study)


def map_study(
    command: str,
    assignments: Iterable[str],
    *,
    replicates: int | None = None,
    seed: int | None = None,
    **others: Any,
) -> dict[str, Any]:
    """Return the plain study of `packhorse map COMMAND n=10,20 ...`; `others` are further keys, None is left out.

    Raises UsageError where an assignment is not NAME=VALUES.
    """
    parameters: dict[str, Any] = {}
    for assignment in assignments:
        name, sign, said = assignment.partition("=")
        if not sign or not name:
            raise UsageError(f"'{assignment}' is not NAME=VALUES.", "Write for instance n=10,20,50")
        if name in parameters:
            raise UsageError(f"'{name}' is given twice.", f"Write {name}={said},... once, with all values.")
        check_name(name, "")
        values = split_values(said)
        parameters[name] = values[0] if len(values) == 1 else values
    given = {
        "command": command,
        "parameters": parameters or None,
        "replicates": replicates,
        "seed": seed,
        **others,
    }
    return {key: value for key, value in given.items() if value is not None}


def split_values(said: str) -> list[Any]:
    """Return comma-separated values, typed as YAML types them; quotes and backslashes protect a comma."""
    values: list[Any] = []
    position = 0
    while True:
        value, position = _next_value(said, position)
        values.append(value)
        if position >= len(said):
            return values
        position += 1


def _next_value(said: str, position: int) -> tuple[Any, int]:
    quote = said[position : position + 1]
    if quote in ("'", '"') and quote:
        end = said.find(quote, position + 1)
        if end > 0 and said[end + 1 : end + 2] in ("", ","):
            return said[position + 1 : end], end + 1
    kept, escaped = [], False
    while position < len(said) and said[position] != ",":
        if said[position] == "\\" and said[position + 1 : position + 2] in (",", "\\", "'", '"'):
            position, escaped = position + 1, True
        kept.append(said[position])
        position += 1
    text = "".join(kept)
    return text if escaped or not text else resolve(text), position
