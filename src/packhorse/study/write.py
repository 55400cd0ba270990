"""Write a study file from plain values, and make the study of a `packhorse map` command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from packhorse.model.errors import UsageError
from packhorse.model.space import text as text_of
from packhorse.study.parameters.levels import SPAN, check_name
from packhorse.text.write import Written, yaml_text
from packhorse.text.yaml import resolve


def study_text(study: Mapping[str, Any]) -> str:
    """Return the text of a study file that parses to the same mapping of plain values."""
    return yaml_text(study)


def map_study(
    command: str,
    assignments: Iterable[str],
    *,
    replicates: int | None = None,
    seed: int | None = None,
    **others: Any,
) -> dict[str, Any]:
    """Return the plain values of the study of `packhorse map COMMAND n=10,20 ...`.

    `others` are further keys; None means not given. Raise UsageError if an assignment is not NAME=VALUES.
    """
    parameters: dict[str, Any] = {}
    for assignment in assignments:
        name, sign, text = assignment.partition("=")
        if not sign or not name:
            raise UsageError(f"'{assignment}' is not NAME=VALUES.", "Write NAME=VALUES, such as n=10,20,50")
        if name in parameters:
            raise UsageError(f"'{name}' is given twice.", f"Write all values at once: {name}={text},...")
        check_name(name, "")
        values = _split(text)
        if len(values) == 1 and isinstance(values[0], str) and (span := SPAN.fullmatch(text)):
            first, last = map(int, span.groups())
            message = f"{assignment}: {text} is not a number, and as a text it would be one value."
            hint = f"For the numbers, write {name}=$(seq -s, {first} {last}); for the text, quote it: {name}='\"{text}\"'"
            raise UsageError(message, hint)
        parameters[name] = values[0] if len(values) == 1 else values
    given = {
        "command": command,
        "parameters": parameters or None,
        "replicates": replicates,
        "seed": seed,
        **others,
    }
    return {key: value for key, value in given.items() if value is not None}


def split_values(text: str) -> list[Any]:
    """Return comma-separated values, with types as in YAML; quotes or a backslash protect a comma."""
    return [resolve(value.text) if isinstance(value, Written) else value for value in _split(text)]


def _split(text: str) -> list[Any]:
    """Return comma-separated values, those whose text is not that of their value as they were written."""
    values: list[Any] = []
    position = 0
    while True:
        value, position = _next_value(text, position)
        values.append(value)
        if position >= len(text):
            return values
        position += 1


def _next_value(text: str, position: int) -> tuple[Any, int]:
    quote = text[position : position + 1]
    if quote in ("'", '"') and quote:
        end = text.find(quote, position + 1)
        if end > 0 and text[end + 1 : end + 2] in ("", ","):
            return text[position + 1 : end], end + 1
    letters, escaped = [], False
    while position < len(text) and text[position] != ",":
        if text[position] == "\\" and text[position + 1 : position + 2] in (",", "\\", "'", '"'):
            position, escaped = position + 1, True
        letters.append(text[position])
        position += 1
    value = "".join(letters)
    if escaped or not value:
        return value, position
    resolved = resolve(value)
    return resolved if text_of(resolved) == value else Written(value), position
