"""Write plain values as YAML text that parses to the same values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from msgspec import Struct

from packhorse.model.space import decimal
from packhorse.text.yaml import resolve

# Texts that need no quotes; all others are quoted.
_PLAIN = re.compile(r"[A-Za-z_/][ -~]*", re.ASCII)
_UNSAFE = re.compile(r"[:#\"'\\\x00-\x1f]|\s$")


class Written(Struct, frozen=True):
    """A number, true, false or null by its text, which a YAML file keeps: 1e3, 007."""

    text: str


def yaml_text(values: Mapping[str, Any]) -> str:
    """Return YAML text that parses to the same mapping of plain values."""
    return "".join(_block(values, 0))


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
    if isinstance(value, Written):
        return value.text
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(repr(value), decimal(value))
    if isinstance(value, int):
        return str(value)
    text = str(value)
    bare = _PLAIN.fullmatch(text) and not _UNSAFE.search(text) and isinstance(resolve(text), str)
    if bare and not (flow and re.search(r"[\[\]{},]", text)):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _unprintable().sub(lambda match: f"\\U{ord(match[0]):08x}", quoted)


@cache
def _unprintable() -> re.Pattern[str]:
    """Return a pattern of unprintable characters, compiled at first use because that is slow.

    Printable are those of YAML 1.2.2, section 5.1, without line breaks and the byte order mark.
    """
    return re.compile(
        "[^\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
    )
