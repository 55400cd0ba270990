"""The arguments that a text of docopt describes: `Usage: sim.py train <data> [--lr=<x>]`, in Python and R."""

from __future__ import annotations

import re
from typing import Any

from packhorse.study.discover.script import Parameter, parameter_name, role_of

_USAGE = re.compile(r"usage:(.*?)(?:\n[ \t]*\n|\Z)", re.IGNORECASE | re.DOTALL)
_OPTION = re.compile(
    r"^\s*((?:-\S+|<[^>]+>|[A-Z][A-Z_]*)(?:,?[ =](?:-\S+|<[^>]+>|[A-Z][A-Z_]*))*)(?:\s{2,}(.*))?$"
)
_ABOUT = frozenset({"-h", "--help", "--version"})
_DEFAULT = re.compile(r"\[default:\s*([^\]]*)\]", re.IGNORECASE)
_PIECE = re.compile(
    r"\[options\]|(?P<long>--[\w-]+)(?:[= ](?P<value><[^>]+>|[A-Z][A-Z_]*))?"
    r"|(?P<short>-\w)(?:[ ](?P<of><[^>]+>|[A-Z][A-Z_]+))?"
    r"|(?P<place><[^>]+>|[A-Z][A-Z_]+)|(?P<word>[A-Za-z][\w-]*)|(?P<sign>[\[\]()|]|\.\.\.)"
)


def find_docopt(text: str) -> dict[tuple[str, ...], list[Parameter]]:
    """Return the arguments of each usage pattern by its words; () is a pattern without words."""
    usage = _USAGE.search(text)
    if usage is None:
        return {}
    described = _described(text[usage.end() :])
    found: dict[tuple[str, ...], list[Parameter]] = {}
    for pattern in _patterns(usage[1]):
        for path, parameters in _read(pattern, described):
            known = found.setdefault(path, [])
            known += [parameter for parameter in parameters if parameter.name not in {p.name for p in known}]
    return found


def _patterns(usage: str) -> list[str]:
    """Return the patterns without the program's name."""
    lines = [line.strip() for line in usage.strip().splitlines() if line.strip()]
    program = lines[0].split()[0] if lines else ""
    patterns: list[str] = []
    for line in lines:
        if line.split()[0] == program:
            patterns.append(line[len(program) :])
        elif patterns:
            patterns[-1] += " " + line
    return patterns


def _described(text: str) -> dict[str, Parameter]:
    """Return the options of the description, by each of their flags."""
    options: dict[str, Parameter] = {}
    for line in text.splitlines():
        match = _OPTION.match(line)
        if match is None or not match[1].startswith("-"):
            continue
        flags = re.findall(r"(?<![\w-])-{1,2}[\w][\w-]*", match[1])
        takes = bool(re.search(r"<[^>]+>|[= ][A-Z][A-Z_]*", match[1]))
        default = _DEFAULT.search(match[2] or "")
        flag = next((one for one in flags if one.startswith("--")), flags[0])
        about = _DEFAULT.sub("", match[2] or "").strip()
        parameter = _option(flag, takes=takes, default=value_of(default[1]) if default else None, about=about)
        if flag not in _ABOUT:
            options.update(dict.fromkeys(flags, parameter))
    return options


def _option(flag: str, *, takes: bool, default: Any, about: str = "") -> Parameter:
    name = flag.strip("-")
    role: Any = role_of(name)
    if not takes:
        role = "switch"
    elif default is None and role == "parameter":
        role = "optional"
    return Parameter(name=parameter_name(name), role=role, flag=flag, default=default, help=about)


def value_of(text: str) -> Any:
    """Return a text as a number, if it is written as one."""
    if re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?", text) else text


def _read(pattern: str, described: dict[str, Parameter]) -> list[tuple[tuple[str, ...], list[Parameter]]]:
    """Return the words of a pattern, one entry for each choice among them, with its arguments."""
    choices: list[list[str]] = []
    parameters: list[Parameter] = []
    choice = False
    for piece in _PIECE.finditer(pattern):
        if piece["word"] and choice and choices:
            choices[-1].append(piece["word"])
        elif piece["word"]:
            choices.append([piece["word"]])
        elif not piece["sign"]:
            parameters += _arguments(piece, described)
        choice = piece["sign"] == "|"
    paths: list[tuple[str, ...]] = [()]
    for group in choices:
        paths = [(*path, word) for path in paths for word in group][:50]
    return [(path, parameters) for path in paths]


def _arguments(piece: re.Match[str], described: dict[str, Parameter]) -> list[Parameter]:
    """Return the arguments of one piece of a pattern that is neither a word nor a sign."""
    if piece["place"]:
        name = piece["place"].strip("<>")
        return [Parameter(name=parameter_name(name.lower()), role=role_of(name), kind="text")]
    if piece[0] == "[options]":
        return [*described.values()]
    flag = piece["long"] or piece["short"]
    takes = bool(piece["value"] or piece["of"])
    if flag in _ABOUT:
        return []
    return [described.get(flag) or _option(flag, takes=takes, default=None)]
