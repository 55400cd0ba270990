"""Read the shell lines of a job script with tree-sitter-bash."""

from __future__ import annotations

import functools
import re
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from packhorse.jobscript.lines import encode
from packhorse.jobscript.shell import Arg, Assignment, Command, Shell, Use, Where


@functools.cache
def _parser() -> Any:
    """Return the parser, or None where its library is not installed."""
    try:
        from tree_sitter import Language, Parser
        from tree_sitter_bash import language
    except ImportError:
        return None
    return Parser(Language(language()))


def read_shell(text: str) -> Shell:
    """Return what a script does; nothing where there is no parser."""
    parser = _parser()
    if parser is None:
        return Shell()
    data = encode(text)
    root = parser.parse(data).root_node
    reader = _Reader(data)
    try:
        reader.walk(root, Where())
        deep = False
    except RecursionError:  # thousands of brackets within brackets
        deep = True
    return Shell(
        commands=tuple(sorted(reader.commands, key=lambda one: (one.line, one.start))),
        assignments=tuple(reader.assignments),
        uses=tuple(reader.uses),
        functions=frozenset(reader.functions),
        errors=root.has_error or deep,
        available=True,
    )


class _Flow(Struct, frozen=True):
    """What surrounds a command: whether it is started with &, the rest of its pipeline, and its redirections."""

    background: bool = False
    piped_to: tuple[str, ...] = ()
    redirects: tuple[tuple[str, str], ...] = ()


_FOREGROUND = _Flow()


class _Reader:
    """Walk the tree once and collect."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.rows = data.split(b"\n")
        self.ascii = data.isascii()
        self.commands: list[Command] = []
        self.assignments: list[Assignment] = []
        self.uses: list[Use] = []
        self.functions: set[str] = set()

    def text(self, node: Any) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "surrogateescape")

    def column(self, point: Any) -> int:
        if self.ascii:
            return int(point[1])
        return len(self.rows[point[0]][: point[1]].decode("utf-8", "surrogateescape"))

    def walk(self, node: Any, where: Where, flow: _Flow = _FOREGROUND) -> None:
        kind = node.type
        if kind == "command":
            self._command(node, where, flow)
        elif kind == "variable_assignment":
            self._assignment(node, where)
        elif kind in {"simple_expansion", "expansion"}:
            self._use(node, where)
        elif kind == "redirected_statement":
            self._redirected(node, where, flow)
        elif kind == "pipeline":
            self._pipeline(node, where, flow)
        else:
            self._others(node, where, flow)

    def _others(self, node: Any, where: Where, flow: _Flow) -> None:
        kind, children = node.type, node.children
        inner = self._inside(node, where)
        background = flow.background and kind in {"list", "subshell", "compound_statement"}
        for index, child in enumerate(children):
            if child.is_named:
                follows = children[index + 1].type if index + 1 < len(children) else ""
                first = kind == "list" and index == 0
                self.walk(child, where if first else inner, _Flow(background or follows == "&"))

    def _inside(self, node: Any, where: Where) -> Where:
        """Return where the parts of a compound command are."""
        kind = node.type
        if kind == "function_definition":
            name = node.child_by_field_name("name")
            title = self.text(name) if name is not None else "?"
            self.functions.add(title)
            return replace(where, function=title)
        if kind in {"for_statement", "while_statement", "c_style_for_statement"}:
            return replace(where, loop=where.loop + 1)
        if kind in {"if_statement", "case_item", "list", "negated_command", "test_command"}:
            return replace(where, conditional=True)
        if kind in {"command_substitution", "process_substitution"}:
            return replace(where, substitution=True)
        return replace(where, subshell=True) if kind == "subshell" else where

    def _redirected(self, node: Any, where: Where, flow: _Flow) -> None:
        targets = []
        for child in node.children:
            if child.type == "file_redirect":
                mark = next((one.type for one in child.children if not one.is_named), "")
                target = child.child_by_field_name("destination")
                targets.append((mark, self.text(target) if target is not None else ""))
        body = node.child_by_field_name("body")
        for child in node.children:
            if body is not None and child.id == body.id:
                self.walk(child, where, replace(flow, redirects=tuple(targets)))
            elif child.is_named:
                self.walk(child, where)

    def _pipeline(self, node: Any, where: Where, flow: _Flow) -> None:
        parts = [child for child in node.children if child.is_named]
        names = [self._name_of(part) for part in parts]
        for index, part in enumerate(parts):
            self.walk(part, where, replace(flow, piped_to=tuple(names[index + 1 :])))

    def _name_of(self, node: Any) -> str:
        while node.type == "redirected_statement" and node.child_by_field_name("body") is not None:
            node = node.child_by_field_name("body")
        name = node.child_by_field_name("name") if node.type == "command" else None
        return self.text(name) if name is not None else node.type

    def _command(self, node: Any, where: Where, flow: _Flow) -> None:
        tokens, before = [], len(self.assignments)
        for child in node.children:
            if not child.is_named:
                continue
            if child.type == "variable_assignment":
                self._assignment(child, where)
                continue
            if child.type not in {"file_redirect", "herestring_redirect"}:
                named = child.type == "command_name" and child.children
                tokens.append(self.arg(child.children[0] if named else child))
            self.walk(child, where)
        prefix = [one for one in self.assignments[before:] if one.where == where]
        if tokens:
            self.commands.append(
                Command(
                    words=tuple(tokens),
                    assignments=tuple(prefix),
                    line=node.start_point[0] + 1,
                    start=self.column(node.start_point),
                    end_line=node.end_point[0] + 1,
                    where=where,
                    background=flow.background,
                    piped_to=flow.piped_to,
                    redirects=flow.redirects,
                    text=self.text(node),
                )
            )

    def arg(self, node: Any) -> Arg:
        raw = self.text(node)
        return Arg(
            raw,
            _literal(node, raw),
            node.start_point[0] + 1,
            self.column(node.start_point),
            self.column(node.end_point),
        )

    def _assignment(self, node: Any, where: Where) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None:
            return
        items = None
        if value is not None and value.type == "array":
            items = tuple(
                self.arg(child) for child in value.children if child.is_named and child.type != "comment"
            )
        parent = node.parent
        self.assignments.append(
            Assignment(
                name=self.text(name).partition("[")[0],
                value=self.arg(value) if value is not None else Arg("", "", node.start_point[0] + 1, 0, 0),
                items=items,
                append=any(child.type == "+=" for child in node.children),
                indexed=name.type == "subscript",
                exported=parent is not None
                and parent.type == "declaration_command"
                and parent.children[0].type == "export",
                line=node.start_point[0] + 1,
                start=self.column(node.start_point),
                where=where,
            )
        )
        if value is not None:
            self.walk(value, where)

    def _use(self, node: Any, where: Where) -> None:
        raw = self.text(node)
        found = re.match(r"\$\{?[!#]?(\w+)(?:\[(.*?)\])?", raw, re.DOTALL)
        if found:
            guarded = bool(re.match(r"\$\{\w+:?[-+=?]", raw)) or where.conditional
            self.uses.append(
                Use(
                    found[1],
                    node.start_point[0] + 1,
                    self.column(node.start_point),
                    self.column(node.end_point),
                    found[2],
                    guarded,
                )
            )
        for child in node.children:
            if child.is_named:
                self.walk(child, where)


def _literal(node: Any, raw: str) -> str | None:
    """Return the value of a word in which the shell expands nothing, or None."""
    if node.type in {"word", "number"}:
        return None if re.search(r"[*?\[]|\{[^}]*(,|\.\.)", raw) else re.sub(r"\\(.)", r"\1", raw)
    if node.type == "raw_string":
        return raw[1:-1]
    if node.type == "string" and all(child.type in {'"', "string_content"} for child in node.children):
        return re.sub(r'\\([\\"$`])', r"\1", raw[1:-1])
    return None
