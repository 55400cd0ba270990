"""Read a shell script: arguments by position or getopts, and the files that it writes."""

from __future__ import annotations

import re

from packhorse.study.discover.arguments.docopt import value_of
from packhorse.study.discover.script import (
    Parameter,
    ScriptFacts,
    WrittenFile,
    array_variable,
    parameter_name,
    role_of,
    with_index,
)

_ASSIGNED = re.compile(
    r"^\s*(?:local |export |readonly )?(\w+)=[\"']?\$(?:\{?([1-9])\}?|\{([1-9]):?[-=]([^}]*)\})[\"']?",
    re.MULTILINE,
)
_USED = re.compile(r"\$\{?([1-9])\b")
_GETOPTS = re.compile(r"\bgetopts\s+[\"']?:?([A-Za-z:]+)")
_CASE = r"^\s*{letter}\)\s*(\w+)=[\"']?\$\{{?OPTARG"
_DEFAULT = r"^\s*{name}=[\"']?([^\"'$\s;]+)"
_WRITTEN = re.compile(r"(?<![0-9&<>])>\s*[\"']?([\w./-]+\.[A-Za-z]\w*)")
_FUNCTION = re.compile(
    r"^\s*(?:function\s+)?\w+\s*\(\)\s*\{(?:[^\n]*\}[ \t]*$|.*?^\})", re.MULTILINE | re.DOTALL
)
_QUOTED = re.compile(r"'[^']*'|(?<!\S)#[^\n]*")


def discover_shell(source: str) -> ScriptFacts:
    """Return the arguments and files of a script."""
    text = re.sub(r"(?<!\S)#[^\n]*", "", source)
    plain = _FUNCTION.sub(
        "", _QUOTED.sub("", source)
    )  # $1 in single quotes is awk's, in a function the function's
    parameters = [*_options(text), *_positions(text, plain)]
    variable = array_variable(text)
    aliases = re.findall(rf"(\w+)=[\"']?\$\{{?{variable}\b", text) if variable else []
    parameters, index = with_index(parameters, aliases, variable)
    return ScriptFacts(
        parameters=tuple({parameter.name: parameter for parameter in parameters}.values()),
        files=tuple(WrittenFile(path=path) for path in dict.fromkeys(_WRITTEN.findall(plain))),
        index=index,
    )


def _options(text: str) -> list[Parameter]:
    declared = _GETOPTS.search(text)
    parameters = []
    for letter, value in re.findall(r"([A-Za-z])(:?)", declared[1] if declared else ""):
        case = re.search(_CASE.format(letter=letter), text, re.MULTILINE)
        name = case[1] if case else letter
        if not value:
            parameters.append(Parameter(name=parameter_name(name), role="switch", flag="-" + letter))
            continue
        default = re.search(_DEFAULT.format(name=re.escape(name)), text, re.MULTILINE)
        parameters.append(
            Parameter(
                name=parameter_name(name),
                role=role_of(name),
                flag="-" + letter,
                kind="text",
                default=value_of(default[1]) if default else None,
            )
        )
    return parameters


def _positions(text: str, plain: str) -> list[Parameter]:
    if _GETOPTS.search(text):
        return []
    named: dict[int, Parameter] = {}
    for name, position, other, default in _ASSIGNED.findall(text):
        number = int(position or other)
        value = value_of(default.strip("\"'")) if default else None
        named.setdefault(
            number, Parameter(name=parameter_name(name), role=role_of(name), kind="text", default=value)
        )
    for position in _USED.findall(plain):
        named.setdefault(int(position), Parameter(name=f"arg{position}", kind="text"))
    return [named.get(n, Parameter(name=f"arg{n}", kind="text")) for n in range(1, max(named, default=0) + 1)]
