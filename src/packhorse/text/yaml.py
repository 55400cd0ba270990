"""YAML 1.2 text -> Nodes. The syntax is ruamel.yaml's; the meaning of plain scalars is decided here.

Plain scalars follow the core schema (YAML 1.2.2, section 10.3.2): `1e-3` is a number, `no` is a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from packhorse.model.errors import StudyError
from packhorse.text.node import Node, check_text, refuse

DEEPEST = 40
# Aliases of aliases could otherwise grow a short text without bound.
MOST_NODES = 3_000_000

_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = frozenset([".nan", ".NaN", ".NAN"])


def decode(raw: bytes, path: str) -> str:
    """Return the text of a file's bytes, which must be UTF-8; a byte order mark is dropped."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        hint = f"Save it as UTF-8, for instance: iconv -f latin1 -t utf-8 {path} > new.yaml"
        refuse(
            f"{path}:{line}:{column}", f"This file is not UTF-8 text (byte 0x{raw[error.start]:02x}).", hint
        )


def resolve(text: str) -> Any:
    """Return what a plain scalar means by the YAML 1.2 core schema."""
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    # 4,000 digits are past any number's use, and Python refuses to convert them.
    if len(text) > 400:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    infinite = _INFINITE.fullmatch(text)
    if infinite:
        return float(infinite[1] + "inf")
    return float("nan") if text in _NAN else text


def parse_yaml(text: str, path: str, *, least: str = "command: python sim.py") -> Node:
    """Return the one document of a YAML text, every node knowing its path:line:column.

    `least` is a line that a file of this kind may consist of, shown where it is empty. Raises StudyError.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    text = text.removeprefix("\ufeff")
    try:
        return _Builder(path, least).document(YAML(typ="safe", pure=True).parse(text))
    except StudyError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = _place(path, mark) if mark else f"{path}:1:1"
        context = f" {error.context}" if error.context else ""
        refuse(where, f"This is not valid YAML{context}: {error.problem}.", _syntax_hint(str(error.problem)))
    except YAMLError as error:
        position = getattr(error, "position", 0)
        line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
        hint = "Take the character out; control characters must be written as \\xNN in double quotes."
        refuse(f"{path}:{line}:{column}", "This character may not stand in YAML.", hint)
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError, RecursionError):
        # ruamel's scanner lets some malformed escapes and directives through to Python's own errors.
        refuse(
            f"{path}:1:1", "This is not valid YAML: an escape or directive is malformed.", _syntax_hint("")
        )


def _place(path: str, mark: Any) -> str:
    return f"{path}:{mark.line + 1}:{mark.column + 1}"


def _syntax_hint(problem: str) -> str:
    if "\\t" in problem or "tab" in problem.lower():
        return "Indent with spaces: YAML does not allow tabs there."
    if "mapping values" in problem:
        return "Put the text in quotes if it holds ': ', or indent the line as its neighbours."
    if "alias" in problem or "anchor" in problem or "directive" in problem or "scalar" in problem:
        return "Put a text that begins with * & ! % @ or ` in quotes."
    return "Look at this line and the one before: indentation, brackets, quotes."


def _joined(text: str) -> str:
    """Join the two halves in which JSON escapes a character beyond U+FFFF (RFC 8259, section 7)."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return text


class _Builder:
    """Turns parser events into Nodes."""

    def __init__(self, path: str, least: str) -> None:
        self.path = path
        self.least = least
        self.anchors: dict[str, Node] = {}
        self.sizes: dict[str, int] = {}
        self.count = 0

    def document(self, events: Iterator[Any]) -> Node:
        """Return the root; no document and a second document are refused."""
        root: Node | None = None
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent" and root is not None:
                refuse(
                    _place(self.path, event.start_mark),
                    "A second document begins here.",
                    "Remove the line '---'.",
                )
            if kind in ("ScalarEvent", "SequenceStartEvent", "MappingStartEvent", "AliasEvent"):
                root = self.node(event, events, 0)
        if root is None or (root.value is None and not root.text):
            refuse(
                f"{self.path}:1:1",
                "This file is empty.",
                f"Write at least a line such as: {self.least}",
            )
        return root

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        """Return the node that begins with `event`."""
        where = _place(self.path, event.start_mark)
        self._grow(1, where)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event.anchor, where)
        if event.tag is not None and event.tag != "!":
            refuse(
                where,
                f"Tags such as {event.tag} are not used here.",
                "Put the text in quotes if it begins with '!'.",
            )
        if depth > DEEPEST:
            refuse(where, f"This is nested more than {DEEPEST} levels deep.", "Flatten it.")
        before = self.count
        if kind == "ScalarEvent":
            made = self._scalar(event, where)
        elif kind == "SequenceStartEvent":
            made = Node(self._list(events, depth), where)
        else:
            made = Node(self._mapping(events, depth), where)
        if event.anchor is not None:
            self.anchors[event.anchor] = made
            self.sizes[event.anchor] = self.count - before
        return made

    def _grow(self, by: int, where: str) -> None:
        self.count += by
        if self.count > MOST_NODES:
            refuse(
                where,
                f"This file holds more than {MOST_NODES:,} values.",
                "A study's points may stand in a CSV file: csv: points.csv",
            )

    def _alias(self, anchor: str, where: str) -> Node:
        if anchor not in self.anchors:
            hint = f"Define it before with &{anchor}, or put a text that begins with * in quotes."
            refuse(where, f"The alias *{anchor} has no anchor before it.", hint)
        self._grow(self.sizes[anchor], where)
        target = self.anchors[anchor]
        return Node(target.value, where, "", target.text, target.quoted)

    def _scalar(self, event: Any, where: str) -> Node:
        text = check_text(_joined(event.value), where)
        quoted = event.style is not None or event.tag == "!"
        return Node(text if quoted else resolve(text), where, "", text, quoted)

    def _list(self, events: Iterator[Any], depth: int) -> list[Node]:
        items = []
        for event in events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            items.append(self.node(event, events, depth + 1))
        return items

    def _mapping(self, events: Iterator[Any], depth: int) -> dict[str, Node]:
        items: dict[str, Node] = {}
        for event in events:
            if type(event).__name__ == "MappingEndEvent":
                break
            key = self.node(event, events, depth + 1)
            if isinstance(key.value, dict | list):
                hint = "A text that begins with { or [ must be in quotes."
                refuse(key, "A key must be a word, not a list or a mapping.", hint)
            if key.text in items:
                first = items[key.text].key.rpartition(":")[0].rpartition(":")[2]
                refuse(
                    key, f"The key '{key.text}' stands twice (first in line {first}).", "Keep one of them."
                )
            child = self.node(next(events), events, depth + 1)
            items[key.text] = Node(child.value, child.where, key.where, child.text, child.quoted)
        return items
