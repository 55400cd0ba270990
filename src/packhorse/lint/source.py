"""Python and R source to check: its syntax tree, or its text without comments and strings."""

from __future__ import annotations

import ast
import functools
import re
import warnings
from collections.abc import Iterator

from packhorse.model.r_syntax import RSpan, RSyntax


class PythonSource:
    """A Python file. Without a tree (a syntax error, an older Python) all rules are silent."""

    def __init__(self, text: str) -> None:
        self.text = text

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The syntax tree; empty where the text is not valid."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the source that is read, such as "\d"
                return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module(body=[], type_ignores=[])

    @functools.cached_property
    def modules(self) -> dict[str, str]:
        """What each imported name is: np: numpy, Pool: multiprocessing.Pool."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for one in node.names:
                    found[one.asname or one.name.partition(".")[0]] = (
                        one.name if one.asname else one.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.update({one.asname or one.name: f"{node.module}.{one.name}" for one in node.names})
        return found

    def name(self, node: ast.expr) -> str:
        """Return the full name of what is called: numpy.append for np.append; empty where it is not imported."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.modules:
            return ""
        return ".".join([self.modules[node.id], *reversed(parts)])

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Yield the calls of what is imported, with full names."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and (name := self.name(node.func)):
                yield node, name

    @functools.cached_property
    def loops(self) -> list[ast.For | ast.While]:
        """All loops."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.For | ast.While)]


class RSource:
    """An R file, with its comments and strings blanked, so that columns stay as they are.

    With R's own syntax it is exact; without, raw strings and loops without braces are not known.
    """

    def __init__(self, text: str, syntax: RSyntax | None = None) -> None:
        self.text = text
        self.syntax = syntax
        self._exact = syntax if syntax is not None and not syntax.fault else None

    @functools.cached_property
    def code(self) -> str:
        """The text without comments and strings."""

        def blank(found: str) -> str:
            return re.sub(r"[^\n]", " ", found)

        if self._exact is None:
            quoted = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|#[^\n]*"
            return re.sub(quoted, lambda found: blank(found[0]), self.text)
        parts, done = [], 0
        for start, end in sorted(self._offsets(span) for span in self._exact.quoted):
            parts += [self.text[done:start], blank(self.text[start:end])]
            done = end
        return "".join([*parts, self.text[done:]])

    @functools.cached_property
    def _starts(self) -> list[int]:
        """Where lines begin."""
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    def _offsets(self, span: RSpan) -> tuple[int, int]:
        """Return where a piece begins and ends."""
        return self._offset(span.line, span.column), self._offset(span.last_line, span.last_column) + 1

    def _offset(self, line: int, column: int) -> int:
        """Return the offset of the character that ends at a column, where a tab reaches the next multiple of 8."""
        at, reached = self._starts[min(line, len(self._starts)) - 1], 0
        while at < len(self.text):
            reached = (reached + 8) & ~7 if self.text[at] == "\t" else reached + 1
            if reached >= column:
                break
            at += 1
        return at

    def place(self, at: int) -> tuple[int, int]:
        """Return the line and column of an offset."""
        before = self.text[:at]
        return before.count("\n") + 1, at - before.rfind("\n") - 1

    @functools.cached_property
    def loops(self) -> list[tuple[int, int]]:
        """Where the bodies of for and while loops are; without R's syntax, those in braces."""
        if self._exact is not None:
            return [(start - 1, end) for start, end in map(self._offsets, self._exact.loops)]
        found = []
        for match in re.finditer(r"\b(?:for|while)\s*\(", self.code):
            end = self._closing(match.end() - 1, "(", ")")
            opening = re.match(r"\s*\{", self.code[end:])
            if opening:
                start = end + opening.end() - 1
                found.append((start, self._closing(start, "{", "}")))
        return found

    def _closing(self, at: int, opening: str, closing: str) -> int:
        depth = 0
        for index in range(at, len(self.code)):
            depth += (self.code[index] == opening) - (self.code[index] == closing)
            if not depth:
                return index + 1
        return len(self.code)

    def in_loops(self, pattern: str) -> Iterator[re.Match[str]]:
        """Yield the matches within loops, each once."""
        for match in re.finditer(pattern, self.code):
            if any(start < match.start() < end for start, end in self.loops):
                yield match
