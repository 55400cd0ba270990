"""The name of a file that a script writes, as the template of a study: texts, {parameters} and * for what is unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from packhorse.study.discover.script import RESERVED, Parameter, is_index
from packhorse.worker.results.suffixes import suffix_format

_LEFT_OUT = ("switch", "optional")  # roles without a value in the command
_INTEGER_SPEC = re.compile(r"0?\d{0,2}[di]?")


class Names(Struct, frozen=True, kw_only=True):
    """The script's names of its parameters; `integers` are those whose values are whole numbers."""

    placeholders: Mapping[str, str] = {}
    integers: frozenset[str] = frozenset()

    def piece(self, name: str, spec: str = "") -> str:
        """Return {name}, {name:03d} for a whole number, or * for a name or format that a study lacks."""
        shown = self.placeholders.get(name, "")
        if not shown or not spec or spec in {"s", "d", "i"}:
            return shown or "*"
        if name in self.integers and _INTEGER_SPEC.fullmatch(spec):
            return shown.replace("}", f":{spec.replace('i', 'd')}}}")
        return "*"


def known_format(path: str) -> str:
    """Return the format that the suffix of a file tells, empty if it tells none."""
    return suffix_format(path)


def names_of(parameters: Iterable[Parameter], aliases: Iterable[str], index: str, seed: str) -> Names:
    """Return the names by which a script knows its parameters and the index of its array; `seed` is the placeholder."""
    shown = {
        p.name: seed if p.role == "seed" else "{" + p.name + "}"
        for p in parameters
        if p.role not in _LEFT_OUT
    }
    shown |= {
        name.removesuffix("_value"): shown[name] for name in shown if name.removesuffix("_value") in RESERVED
    }
    integers = {p.name for p in parameters if p.kind == "int" or is_index(p.name)}
    if index:
        shown |= dict.fromkeys((*aliases, index), "{" + index + "}")
        integers |= {*aliases, index}
    return Names(placeholders=shown, integers=frozenset(integers))


def file_name(template: str) -> str:
    """Return the template of a file's name; empty where too little of it is known."""
    path = re.sub(r"\*+", "*", template).removeprefix("./")
    name = path.rpartition("/")[2]
    whole = re.fullmatch(r"\{[^{}]+\}", path)  # a parameter is the name of the file
    known = re.search(r"\w", re.sub(r"\{[^{}]*\}|\.\w+$", "", name)) or re.search(r"\{[^{}]*\}.*\.\w+$", name)
    return path if whole or (known and "\n" not in path) else ""


def percent(template: str, pieces: list[str], names: list[str], known: Names) -> str:
    """Return what C's % makes of a template; `names` are the script's names of its values, `pieces` their templates."""
    values = iter(zip(names, pieces, strict=True))

    def fill(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        name, piece = next(values, ("", "*"))
        spec = match[1] + ("" if match[2] in "si" else match[2])
        return known.piece(name, spec) if name in known.placeholders and spec not in {"", "d"} else piece

    return re.sub(r"%%|%([-+0 #]*\d*(?:\.\d+)?)([a-zA-Z])", fill, template)
