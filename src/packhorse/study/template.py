"""Command templates: split into arguments first, substituted per argument, so that no value meets a shell.

With `shell: true` every value is quoted by shlex.quote. That is only safe where the shell would read a
plain word, so a placeholder anywhere else (in quotes, here-documents, arithmetic...) is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from packhorse.model.space import text
from packhorse.text.node import nearest, refuse

Part = str | dict[str, Any]

NUMBERS = ("index", "count", "replicate", "seed", "seed32", "deadline")
FOLDERS = ("output", "scratch", "checkpoint")
FILES = tuple(f"params.{suffix}" for suffix in ("json", "yaml", "toml", "csv", "R", "py"))
BUILTIN = (*NUMBERS, *FOLDERS, *FILES)

_OUTPUT = re.compile(r"output(\.[A-Za-z0-9_-]+)+", re.ASCII)
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
# Python's format specification without n (the locale's) and c, and with widths that fit a line.
_SPEC = re.compile(r"([^{}]?[<>=^])?[-+ ]?z?#?0?\d{0,3}[,_]?(\.\d{1,3})?[bdeEfFgGosxX%]?")
_OPERATORS = frozenset(
    ["|", "||", "&&", "&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "&>", "|&", "1>", "2>>"]
)
_BRACES = "A brace that is not a placeholder is written twice: {{ and }}."


def split(template: str, where: str = "") -> tuple[str, ...]:
    """Split a command into argument templates as a POSIX shell would, without running one."""
    joined = re.sub(r"\\\r?\n", "", template)
    try:
        words = tuple(shlex.split(joined))
    except ValueError:
        hint = "Close the quote, or write the command as a list: [python, sim.py, '{n}']."
        refuse(where, f"A quote or a backslash of the command is not closed: {template!r}.", hint)
    if not words:
        refuse(where, "The command is empty.", "Write for instance: python sim.py --n {n}")
    for word in words:
        if word in _OPERATORS or (word.endswith(";") and len(word) > 1):
            hint = "Write shell: true (packhorse map --shell), or, if it is a plain argument, the command as a list."
            refuse(where, f"The command holds '{word}', which only a shell understands.", hint)
    return words


def literal(word: str) -> str:
    """Return a template that stands for a word as it is."""
    return word.replace("{", "{{").replace("}", "}}")


def compile_command(
    command: str | Sequence[str], names: Iterable[str], *, shell: bool = False, where: str = ""
) -> list[list[Part]]:
    """Return each argument as parts: texts, and {"name", "spec", "quote"} for what is put in.

    A command given as words is taken word by word; a text is split first, or given whole to /bin/sh.
    """
    allowed = [*names, *BUILTIN]
    if not shell:
        words = split(command, where) if isinstance(command, str) else command
        return [compile_word(word, allowed, where) for word in words]
    if not isinstance(command, str):
        refuse(
            where,
            "A command for the shell must be one text, not a list.",
            "Write it as one text, or shell: false.",
        )
    if not command.strip():
        refuse(where, "The command is empty.", "Write for instance: python sim.py --n {n}")
    parts = compile_word(command, allowed, where)
    _check_shell(parts, where)
    return [
        ["/bin/sh"],
        ["-c"],
        [part if isinstance(part, str) else {**part, "quote": True} for part in parts],
    ]


def compile_word(word: str, allowed: Iterable[str], where: str = "") -> list[Part]:
    """Return the parts of one argument."""
    known = list(allowed)
    parts: list[Part] = []
    start = 0
    for match in _TOKEN.finditer(word):
        _append(parts, word[start : match.start()])
        start = match.end()
        if match[0] in ("{{", "}}"):
            _append(parts, match[0][0])
        elif match[1] is None:
            refuse(where, f"The brace {match[0]} in {word!r} has no partner.", _BRACES)
        else:
            parts.append(_placeholder(match[1], known, where))
    _append(parts, word[start:])
    return parts or [""]


def _append(parts: list[Part], literal_text: str) -> None:
    if not literal_text:
        return
    if parts and isinstance(parts[-1], str):
        parts[-1] += literal_text
    else:
        parts.append(literal_text)


def _placeholder(inside: str, known: list[str], where: str) -> Part:
    name, colon, spec = inside.partition(":")
    if name not in known and not _OUTPUT.fullmatch(name):
        refuse(
            where,
            f"{{{inside}}} is not a parameter, nor a word that Packhorse knows.",
            f"{_BRACES} {nearest(name, known)}",
        )
    if not colon:
        return {"name": name}
    if not _SPEC.fullmatch(spec) or not spec:
        hint = f"Write a Python format such as {{{name}:03d}}, {{{name}:.3f}} or {{{name}:g}}."
        refuse(where, f"The format '{spec}' of {{{inside}}} is not known.", hint)
    if name.split(".")[0] in (*FOLDERS, "params") and name not in known[: len(known) - len(BUILTIN)]:
        refuse(where, f"{{{name}}} is a path, so it takes no format.", f"Write {{{name}}}.")
    return {"name": name, "spec": spec}


def check_format(part: dict[str, Any], value: Any, where: str = "") -> None:
    """Refuse a format that a value of the parameter does not take."""
    try:
        show(part, value)
    except (ValueError, TypeError, OverflowError) as error:
        hint = f"Write {{{part['name']}}}, or a format that suits all its values."
        refuse(
            where, f"The format '{part['spec']}' does not suit {part['name']}={text(value)}: {error}.", hint
        )


def show(part: Part, value: Any) -> str:
    """Return one part as it will stand in the argument."""
    if isinstance(part, str):
        return part
    shown = format(value, part["spec"]) if part.get("spec") else text(value)
    return shlex.quote(shown) if part.get("quote") else shown


def render(command: Iterable[Iterable[Part]], values: Mapping[str, Any]) -> list[str]:
    """Return the argv of one task."""
    return [
        "".join(part if isinstance(part, str) else show(part, values[part["name"]]) for part in parts)
        for parts in command
    ]


# What follows any of these is read by rules under which a quoted value is not just a word.
_HAZARDS = (
    ("$((", "in arithmetic"),
    ("((", "in arithmetic"),
    ("$[", "in arithmetic"),
    ("[[", "in [[ ]]"),
    ("<<", "in or after a here-document"),
    ("`", "in or after backticks"),
    ("$'", "in or after $'...'"),
)
_VARIABLE = re.compile(r"\$\{[A-Za-z0-9_@*#?!-]+\}", re.ASCII)
_MARK = "\0"


def _check_shell(parts: list[Part], where: str) -> None:
    """Refuse placeholders that the shell would not read as one plain word."""
    names = [part["name"] for part in parts if not isinstance(part, str)]
    scan = _Scan("".join(part if isinstance(part, str) else _MARK for part in parts))
    scan.run()
    if scan.bad is not None:
        number, reason = scan.bad
        hint = (
            "Take the quotes off: values are quoted already."
            if "quotes" in reason
            else "Move it out, to a plain argument."
        )
        refuse(
            where,
            f"The placeholder {{{names[number]}}} stands {reason}, where quoting cannot protect it.",
            hint,
        )
    if scan.quote:
        refuse(where, f"A quote {scan.quote} of the command is not closed.", "Close it.")


class _Scan:
    """Reads a shell command from left to right and finds the first placeholder in a bad place."""

    def __init__(self, shape: str) -> None:
        self.shape = shape
        self.at = 0
        self.quote = ""
        self.hazard = ""
        self.marks = 0
        self.bad: tuple[int, str] | None = None

    def run(self) -> None:
        """Scan to the end, or to the first bad placeholder."""
        while self.at < len(self.shape) and self.bad is None:
            character = self.shape[self.at]
            if character == _MARK:
                self._mark()
            elif self.quote == "'":
                self.quote = "" if character == "'" else "'"
            elif character == "\\":
                self._escape()
            elif self.quote == '"':
                self._quoted(character)
            else:
                self._open(character)
            self.at += 1

    def _mark(self) -> None:
        before = self.shape[self.at - 1] if self.at else ""
        if self.hazard:
            self.bad = (self.marks, self.hazard)
        elif self.quote:
            self.bad = (self.marks, "in quotes")
        elif before == "$":
            self.bad = (self.marks, "right after $ (a shell variable is written ${{NAME}})")
        self.marks += 1

    def _escape(self) -> None:
        if self.shape[self.at + 1 : self.at + 2] == _MARK:
            self.bad = (self.marks, "right after a backslash")
        self.at += 1

    def _skip_variable(self) -> bool:
        variable = _VARIABLE.match(self.shape, self.at)
        if variable:
            self.at = variable.end() - 1
        return variable is not None

    def _quoted(self, character: str) -> None:
        if character == '"':
            self.quote = ""
        elif character == "`" or self.shape.startswith("$(", self.at):
            self.hazard = "after a command inside double quotes"
        elif self.shape.startswith("${", self.at) and not self._skip_variable():
            self.hazard = "in or after ${...}"

    def _open(self, character: str) -> None:
        before = self.shape[self.at - 1] if self.at else " "
        for sign, reason in _HAZARDS:
            if self.shape.startswith(sign, self.at):
                self.hazard = self.hazard or reason
        if self.shape.startswith("${", self.at) and not self._skip_variable():
            self.hazard = self.hazard or "in or after ${...}"
        elif character in "'\"":
            self.quote = character
        elif character == "[" and (before.isalnum() or before == "_"):
            self.hazard = self.hazard or "in or after an array's index"
        elif character == "#" and (before.isspace() or before in ";&|()"):
            self._comment()

    def _comment(self) -> None:
        end = self.shape.find("\n", self.at)
        comment = self.shape[self.at : end if end >= 0 else len(self.shape)]
        if _MARK in comment:
            self.bad = (self.marks, "in a comment")
        self.at += len(comment) - 1
