"""Plain values -> the YAML of a study file, and the study of one line of `packhorse map`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from packhorse.model.errors import UsageError
from packhorse.study.levels import check_name
from packhorse.text.yaml import resolve

# Where a text may stand without quotes; everything doubtful is quoted.
_PLAIN = re.compile(r"[A-Za-z_/][ -~]*", re.ASCII)
_UNSAFE = re.compile(r"[:#\"'\\\x00-\x1f]|\s$")
# YAML's printable characters (YAML 1.2.2, section 5.1) without line breaks and the byte order mark.
_UNPRINTABLE = re.compile(
    "[^\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)


def study_text(study: Mapping[str, Any]) -> str:
    """Return a YAML text that reads back as the same mapping of plain values."""
    return "".join(_block(study, 0))


def _block(values: Mapping[str, Any], indent: int) -> Iterable[str]:
    pad = "  " * indent
    for key, value in values.items():
        name = _scalar(str(key), flow=True)
        if isinstance(value, Mapping) and value and not _short(value):
            yield f"{pad}{name}:\n"
            yield from _block(value, indent + 1)
        elif isinstance(value, list | tuple) and any(
            isinstance(item, Mapping) or _long(item) for item in value
        ):
            yield f"{pad}{name}:\n"
            yield from (f"{pad}  - {_flow(item)}\n" for item in value)
        else:
            yield f"{pad}{name}: {_flow(value) if isinstance(value, Mapping | list | tuple) else _scalar(value)}\n"


def _short(values: Mapping[str, Any]) -> bool:
    return len(values) == 1 and not any(isinstance(value, Mapping) for value in values.values())


def _long(item: Any) -> bool:
    return isinstance(item, str) and len(item) > 40


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{_scalar(str(key), flow=True)}: {_flow(item)}" for key, item in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value, flow=True)


def _scalar(value: Any, *, flow: bool = False) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(repr(value), repr(value))
    if isinstance(value, int):
        return str(value)
    text = str(value)
    bare = _PLAIN.fullmatch(text) and not _UNSAFE.search(text) and isinstance(resolve(text), str)
    if bare and not (flow and re.search(r"[\[\]{},]", text)):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\U{ord(match[0]):08x}", quoted)


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
