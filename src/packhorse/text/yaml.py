"""Parse YAML 1.2 into Nodes. ruamel.yaml parses the syntax; this module resolves plain scalars.

Plain scalars follow the core schema (YAML 1.2.2, section 10.3.2): `1e-3` is a number, `no` is a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from packhorse.model.errors import StudyError
from packhorse.text.node import Node, check_text, refuse

MAX_DEPTH = 40
# Aliases of aliases could otherwise expand a short text without limit.
MOST_NODES = 3_000_000

_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = frozenset([".nan", ".NaN", ".NAN"])


def decode(raw: bytes, path: str) -> str:
    """Decode the bytes of a UTF-8 file, without a byte order mark. Raise StudyError at the first other byte."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        hint = f"Save it as UTF-8, for example: iconv -f latin1 -t utf-8 {path} > new.yaml"
        refuse(
            f"{path}:{line}:{column}",
            f"The file is not UTF-8 text: it contains the byte 0x{raw[error.start]:02x}.",
            hint,
        )


def resolve(text: str) -> Any:
    """Return the value of a plain scalar by the YAML 1.2 core schema."""
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    # Python refuses to convert more than 4,300 digits (sys.get_int_max_str_digits); no number needs 400.
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
    """Parse a YAML text with one document; every node has its position, path:line:column.

    `least` is a line that suffices as such a file, for the message about an empty one. Raise StudyError.
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
        where = _position(path, mark) if mark else f"{path}:1:1"
        context = f" {error.context}" if error.context else ""
        refuse(
            where, f"The file is not valid YAML{context}: {error.problem}.", _syntax_hint(str(error.problem))
        )
    except YAMLError as error:
        position = getattr(error, "position", 0)
        line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
        hint = "Remove it; write a control character as \\xNN in double quotes."
        refuse(f"{path}:{line}:{column}", "The file contains a character that YAML does not allow.", hint)
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError, RecursionError):
        # For some malformed escapes and directives, ruamel's scanner raises Python's own errors.
        refuse(
            f"{path}:1:1",
            "The file is not valid YAML: an escape or directive is malformed.",
            _syntax_hint(""),
        )


def _position(path: str, mark: Any) -> str:
    return f"{path}:{mark.line + 1}:{mark.column + 1}"


def _syntax_hint(problem: str) -> str:
    if "\\t" in problem or "tab" in problem.lower():
        return "Indent with spaces: YAML does not allow tabs there."
    if "mapping values" in problem:
        return "Put a text that contains ': ' in quotes, or indent the line like its neighbours."
    if "alias" in problem or "anchor" in problem or "directive" in problem or "scalar" in problem:
        return "Put a text that begins with * & ! % @ or ` in quotes."
    return "Check the indentation, brackets and quotes of this line and the one before."


def _joined(text: str) -> str:
    """Join surrogate pairs, by which JSON escapes a character above U+FFFF (RFC 8259, section 7)."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return text


class _Builder:
    """Builds Nodes from parser events."""

    def __init__(self, path: str, least: str) -> None:
        self.path = path
        self.least = least
        self.anchors: dict[str, Node] = {}
        self.sizes: dict[str, int] = {}
        self.count = 0

    def document(self, events: Iterator[Any]) -> Node:
        """Return the root node of the only document."""
        root: Node | None = None
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent" and root is not None:
                refuse(
                    _position(self.path, event.start_mark),
                    "The file contains a second document.",
                    "Remove the line '---'.",
                )
            if kind in ("ScalarEvent", "SequenceStartEvent", "MappingStartEvent", "AliasEvent"):
                root = self.node(event, events, 0)
        if root is None or (root.value is None and not root.text):
            refuse(
                f"{self.path}:1:1",
                "The file is empty.",
                f"Write at least one line, such as: {self.least}",
            )
        return root

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        """Return the node that starts with `event`."""
        where = _position(self.path, event.start_mark)
        self._grow(1, where)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event.anchor, where)
        if event.tag is not None and event.tag != "!":
            refuse(
                where,
                f"The tag {event.tag} is not supported.",
                "Put a text that begins with '!' in quotes.",
            )
        if depth > MAX_DEPTH:
            refuse(where, f"The value is nested more than {MAX_DEPTH} levels deep.", "Use fewer levels.")
        before = self.count
        if kind == "ScalarEvent":
            node = self._scalar(event, where)
        elif kind == "SequenceStartEvent":
            node = Node(self._list(events, depth), where)
        else:
            node = Node(self._mapping(events, depth), where)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
            self.sizes[event.anchor] = self.count - before
        return node

    def _grow(self, by: int, where: str) -> None:
        self.count += by
        if self.count > MOST_NODES:
            refuse(
                where,
                f"The file has more than {MOST_NODES:,} values.",
                "Put the points of a study in a CSV file: csv: points.csv",
            )

    def _alias(self, anchor: str, where: str) -> Node:
        if anchor not in self.anchors:
            hint = f"Define it above with &{anchor}, or put a text that begins with * in quotes."
            refuse(where, f"The alias *{anchor} has no anchor above it.", hint)
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
                hint = "Put a text that begins with { or [ in quotes."
                refuse(key, "A key must be a text, not a list or a mapping.", hint)
            if key.text in items:
                first = items[key.text].key.rpartition(":")[0].rpartition(":")[2]
                refuse(
                    key, f"The key '{key.text}' is given twice; first in line {first}.", "Remove one of them."
                )
            child = self.node(next(events), events, depth + 1)
            items[key.text] = Node(child.value, child.where, key.where, child.text, child.quoted)
        return items
