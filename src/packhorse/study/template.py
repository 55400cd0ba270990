"""Command templates: split into arguments, then substituted in each, so that a shell never reads a value.

`{--verbose}` is the switch itself where the parameter `verbose` is true, and no argument where it is false;
`{layers...}` is one argument for each item of a list or word of a text. Both are whole arguments.

With `shell: true` every value is quoted by shlex.quote. That is safe only where the shell reads a plain word, so a
placeholder anywhere else (in quotes, here-documents, arithmetic and others) is refused.
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
# Python's format specification without n (depends on the locale) and c, and with a limited width.
_SPEC = re.compile(r"([^{}]?[<>=^])?[-+ ]?z?#?0?\d{0,3}[,_]?(\.\d{1,3})?[bdeEfFgGosxX%]?")
_OPERATORS = frozenset(
    ["|", "||", "&&", "&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "&>", "|&", "1>", "2>>"]
)
_SPREAD = "..."
_AFTER_WORD = " \t\r\n;&|<>)"  # what may follow a whole argument in a shell
_BRACES = "Write a brace that is not part of a placeholder twice: {{ and }}."


def split(template: str, where: str = "") -> tuple[str, ...]:
    """Split a command into argument templates by the rules of a POSIX shell."""
    joined = re.sub(r"\\\r?\n", "", template)
    try:
        arguments = tuple(shlex.split(joined))
    except ValueError:
        hint = "Close the quote, or write the command as a list: [python, sim.py, '{n}']"
        refuse(where, f"The command {template!r} has an open quote or a final backslash.", hint)
    if not arguments:
        refuse(where, "The command is empty.", "Write a command, such as python sim.py --n {n}")
    for word in arguments:
        if word in _OPERATORS or (word.endswith(";") and len(word) > 1):
            hint = "Write shell: true (packhorse map --shell), or the command as a list if it is a plain argument."
            refuse(where, f"The command contains '{word}', which needs a shell.", hint)
    return arguments


def literal(word: str) -> str:
    """Return the template whose value is a given text: braces are doubled."""
    return word.replace("{", "{{").replace("}", "}}")


def compile_command(
    command: str | Sequence[str], names: Iterable[str], *, shell: bool = False, where: str = ""
) -> list[list[Part]]:
    """Return each argument as parts: texts, and {"name", "spec", "quote"} for placeholders.

    A list of words becomes one argument each; a text is split first, or with `shell` passed whole to /bin/sh.
    """
    allowed = [*names, *BUILTIN]
    if not shell:
        arguments = split(command, where) if isinstance(command, str) else command
        compiled = [compile_word(word, allowed, where) for word in arguments]
        for parts in compiled:
            _check_whole(parts if len(parts) > 1 else [], where)
        return compiled
    if not isinstance(command, str):
        hint = "Write it as one text, or remove shell: true"
        refuse(where, "With shell: true, the command must be one text, not a list.", hint)
    if not command.strip():
        refuse(where, "The command is empty.", "Write a command, such as python sim.py --n {n}")
    parts = compile_word(command, allowed, where)
    _check_shell(parts, where)
    _check_whole(_inside_words(parts), where)
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
            refuse(where, f"The brace {match[0]} in {word!r} is not matched.", _BRACES)
        else:
            parts.append(_placeholder(match[1], known, where))
    _append(parts, word[start:])
    return parts or [""]


def is_several(part: Part) -> bool:
    """Return whether a part may become no argument or several ones."""
    return not isinstance(part, str) and ("switch" in part or "spread" in part)


def shown_in_braces(part: dict[str, Any]) -> str:
    """Return a placeholder as its author wrote it."""
    inside = f"{part['name']}{_SPREAD}" if "spread" in part else part["switch"]
    return f"{{{inside}}}"


def _check_whole(parts: Iterable[Part], where: str) -> None:
    """Refuse a switch or list among other parts of an argument."""
    for part in parts:
        if not isinstance(part, str) and is_several(part):
            shown = shown_in_braces(part)
            message = f"{shown} may become no argument or several, so it must be a whole argument."
            refuse(where, message, f"Write it between blanks: --option {shown}")


def _inside_words(parts: list[Part]) -> list[Part]:
    """Return the parts of a shell command that stand in a word with other text."""
    found = []
    for number, part in enumerate(parts):
        before = parts[number - 1] if number else " "
        after = parts[number + 1] if number + 1 < len(parts) else " "
        blank = isinstance(before, str) and before[-1] in " \t\r\n"
        if not (blank and isinstance(after, str) and after[0] in _AFTER_WORD):
            found.append(part)
    return found


def _append(parts: list[Part], literal_text: str) -> None:
    if not literal_text:
        return
    if parts and isinstance(parts[-1], str):
        parts[-1] += literal_text
    else:
        parts.append(literal_text)


def _placeholder(inside: str, known: list[str], where: str) -> Part:
    name, colon, spec = inside.partition(":")
    if name not in known and (inside.startswith("-") or inside.endswith(_SPREAD)):
        return _several(inside, known[: len(known) - len(BUILTIN)], where)
    if name not in known and not _OUTPUT.fullmatch(name):
        message = f"{{{inside}}} is neither a parameter nor a built-in placeholder."
        refuse(where, message, f"{_BRACES} {nearest(name, known)}")
    if not colon:
        return {"name": name}
    if not _SPEC.fullmatch(spec) or not spec:
        hint = f"Write a Python format, such as {{{name}:03d}}, {{{name}:.3f}} or {{{name}:g}}."
        refuse(where, f"The format '{spec}' of {{{inside}}} is not valid.", hint)
    if name.split(".")[0] in (*FOLDERS, "params") and name not in known[: len(known) - len(BUILTIN)]:
        refuse(where, f"{{{name}}} is a path and takes no format.", f"Write {{{name}}}")
    return {"name": name, "spec": spec}


def _several(inside: str, parameters: list[str], where: str) -> Part:
    """Return the part of a switch, {--verbose}, or of several arguments, {layers...}."""
    switch = inside.startswith("-")
    name = inside.lstrip("-") if switch else inside[: -len(_SPREAD)]
    if switch and name not in parameters:
        name = next((known for known in parameters if known.replace("_", "-") == name), name)
    if name not in parameters:
        what = "is true or false" if switch else "is a list"
        message = f"{{{inside}}} needs a parameter '{name}' that {what}, and there is none."
        refuse(where, message, f"{_BRACES} {nearest(name, parameters)}")
    return {"name": name, "switch": inside} if switch else {"name": name, "spread": True}


def check_format(part: dict[str, Any], value: Any, where: str = "") -> None:
    """Refuse a format, or a switch, that cannot be applied to a value of the parameter."""
    if "switch" in part:
        if value is not None and not isinstance(value, bool):
            message = f"{shown_in_braces(part)} needs true or false, but {part['name']} is {text(value)}."
            hint = (
                f"Write {part['name']}: [true, false], or {part['switch']} {{{part['name']}}} in the command."
            )
            refuse(where, message, hint)
        return
    try:
        show(part, value)
    except (ValueError, TypeError, OverflowError) as error:
        hint = f"Write {{{part['name']}}}, or a format that fits all of its values."
        message = f"The format '{part['spec']}' does not fit {part['name']}={text(value)}: {error}."
        refuse(where, message, hint)


def show(part: Part, value: Any) -> str:
    """Return the text of one part with a value."""
    if isinstance(part, str):
        return part
    shown = format(value, part["spec"]) if part.get("spec") else text(value)
    return shlex.quote(shown) if part.get("quote") else shown


def render(command: Iterable[Iterable[Part]], values: Mapping[str, Any]) -> list[str]:
    """Return the arguments of one task; `values` has a value for every placeholder."""
    return [
        "".join(part if isinstance(part, str) else show(part, values[part["name"]]) for part in parts)
        for parts in command
    ]


# After each of these the shell has other rules, by which a quoted value is not a plain word.
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
    """Refuse a placeholder where the shell does not read one plain word."""
    names = [part["name"] for part in parts if not isinstance(part, str)]
    scan = _Scan("".join(part if isinstance(part, str) else _MARK for part in parts))
    scan.run()
    if scan.bad is not None:
        number, reason = scan.bad
        in_quotes = "quotes" in reason
        hint = "Remove the quotes: Packhorse quotes values." if in_quotes else "Make it a plain argument."
        message = f"The placeholder {{{names[number]}}} is {reason}, where its value cannot be quoted safely."
        refuse(where, message, hint)
    if scan.quote:
        refuse(where, f"The command has an open quote: {scan.quote}", "Close it.")


class _Scan:
    """Scans a shell command from left to right for the first placeholder in an unsafe position."""

    def __init__(self, shape: str) -> None:
        self.shape = shape
        self.at = 0
        self.quote = ""
        self.hazard = ""
        self.marks = 0
        self.bad: tuple[int, str] | None = None

    def run(self) -> None:
        """Scan to the end, or to the first placeholder in an unsafe position."""
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
            self.bad = (self.marks, "right after $ (write a shell variable as ${{NAME}})")
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
            self.hazard = self.hazard or "in or after the index of an array"
        elif character == "#" and (before.isspace() or before in ";&|()"):
            self._comment()

    def _comment(self) -> None:
        end = self.shape.find("\n", self.at)
        comment = self.shape[self.at : end if end >= 0 else len(self.shape)]
        if _MARK in comment:
            self.bad = (self.marks, "in a comment")
        self.at += len(comment) - 1
