"""The files that a Python script writes: their names, and what is in them where their suffix does not say it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from packhorse.study.discover.arguments.declarations import called, constant, in_order, keywords
from packhorse.study.discover.files.template import Names, file_name, known_format, percent
from packhorse.study.discover.script import WrittenFile

WRITERS = frozenset(
    {
        "to_csv",
        "to_parquet",
        "to_json",
        "to_excel",
        "to_hdf",
        "write_csv",
        "write_parquet",
        "savetxt",
        "savefig",
    }
)
JOINERS = frozenset({"join", "Path", "PurePath", "joinpath"})
TABLES = ("csv", "tsv", "dat")
_NUMBERS = re.compile(r"%[-+ 0#]*\d*(?:\.\d+)?[a-z](,\s*%[.\d]*[a-z])*\s*")  # "%d,%f" of one line


def python_files(tree: ast.Module, names: Names) -> tuple[WrittenFile, ...]:
    """Return the files that a script writes, in its order."""
    script = _Script(tree, names)
    found: dict[str, WrittenFile] = {}
    for call in script.calls:
        file = script.written(call)
        if file is not None:
            found.setdefault(file.path, file)
    return tuple(found.values())


class _Script:
    """A script with the values of the names that it sets once."""

    def __init__(self, tree: ast.Module, names: Names) -> None:
        nodes = in_order(tree)
        self.names = names
        self.calls = [node for node in nodes if isinstance(node, ast.Call)]
        stored = Counter(
            node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
        stored.update(node.arg for node in nodes if isinstance(node, ast.arg))
        self.values = {
            node.targets[0].id: node.value
            for node in nodes
            if isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name)
            and stored[node.targets[0].id] == 1
        }
        # The name of an open file, by the call that opens it.
        self.handles = {
            id(item.context_expr): item.optional_vars.id
            for node in nodes
            if isinstance(node, ast.With)
            for item in node.items
            if isinstance(item.optional_vars, ast.Name)
        } | {id(value): name for name, value in self.values.items()}

    def written(self, call: ast.Call) -> WrittenFile | None:
        """Return the file that a call writes or opens for writing."""
        name, where = called(call), call.args[0] if call.args else None
        if name == "open" and not _for_writing(call):
            return None
        if name in {"write_text", "write_bytes", "open"} and isinstance(call.func, ast.Attribute):
            where = call.func.value if name != "open" or _is_path(call) else where
        elif name in {"save", "savez", "savez_compressed"}:
            if getattr(getattr(call.func, "value", None), "id", "") not in {"np", "numpy"}:
                return None
        elif name not in WRITERS and name != "open":
            return None
        where = where or keywords(call).get("path_or_buf") or keywords(call).get("fname")
        path = file_name(self.template(where)) if where is not None else ""
        if not path:
            return None
        return self._described(path, self.handles.get(id(call), "") if name == "open" else "")

    def template(self, node: ast.expr, depth: int = 0) -> str:
        """Return the template of a text that an expression makes."""
        if isinstance(node, ast.Constant):
            known = isinstance(node.value, str | int) and not re.search("[{}*]", str(node.value))
            return str(node.value) if known else "*"
        if depth > 8:
            return "*"
        if isinstance(node, ast.JoinedStr):
            return "".join(self._formatted(part, depth) for part in node.values)
        if isinstance(node, ast.BinOp):
            return self._operation(node, depth)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        name = _name(node)
        if name in self.names.placeholders:
            return self.names.piece(name)
        value = self.values.get(node.id) if isinstance(node, ast.Name) else None
        return self.template(value, depth + 1) if value is not None else "*"

    def _formatted(self, part: ast.expr, depth: int) -> str:
        if not isinstance(part, ast.FormattedValue):
            return self.template(part, depth + 1)
        if part.format_spec is None:
            return self.template(part.value, depth + 1)
        spec = part.format_spec.values if isinstance(part.format_spec, ast.JoinedStr) else []
        text = constant(spec[0]) if len(spec) == 1 else None
        return self.names.piece(_name(part.value), text) if isinstance(text, str) else "*"

    def _operation(self, node: ast.BinOp, depth: int) -> str:
        left = constant(node.left)
        if isinstance(node.op, ast.Mod) and isinstance(left, str) and not re.search("[{}*]", left):
            values = node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
            pieces = [self.template(value, depth + 1) for value in values]
            return percent(left, pieces, [_name(value) for value in values], self.names)
        between = {ast.Add: "", ast.Div: "/"}.get(type(node.op))
        if between is None:
            return "*"
        return between.join(self.template(side, depth + 1) for side in (node.left, node.right))

    def _call(self, node: ast.Call, depth: int) -> str:
        name = called(node)
        if name in {"str", "int", "fspath", "abspath", "expanduser"} and node.args:
            return self.template(node.args[0], depth + 1)
        if name in JOINERS and node.args:
            pieces = [self.template(value, depth + 1) for value in node.args]
            if name == "joinpath" and isinstance(node.func, ast.Attribute):
                pieces.insert(0, self.template(node.func.value, depth + 1))
            return "/".join(pieces)
        text = constant(node.func.value) if isinstance(node.func, ast.Attribute) else None
        if name == "format" and isinstance(text, str):
            return self._format(text, node, depth)
        return "*"

    def _format(self, text: str, node: ast.Call, depth: int) -> str:
        values, named = iter(node.args), keywords(node)

        def fill(match: re.Match[str]) -> str:
            field, spec = match[1], match[2] or ""
            value = node.args[int(field)] if field.isdigit() and int(field) < len(node.args) else None
            value = value or (named.get(field) if field else next(values, None))
            if value is None:
                return "*"
            return self.names.piece(_name(value), spec) if spec else self.template(value, depth + 1)

        return re.sub(r"\{(\w*)(?::([^{}]*))?\}", fill, text)

    # --- What is in a file ---

    def _described(self, path: str, handle: str) -> WrittenFile:
        """Return a file with what its name does not tell: that it is JSON, one value, or a table without names."""
        form = known_format(path)
        if not handle:
            return WrittenFile(path=path)
        uses = [call for call in self.calls if handle in map(_name, [*call.args, *keywords(call).values()])]
        if any(called(call) == "dump" and _owner(call) == "json" for call in uses):
            return WrittenFile(path=path, format="" if form == "json" else "json")
        header = tuple(self._header(handle, uses)) if form in TABLES or not form else ()
        unknown = "csv" if len(header) > 1 else "text"
        return WrittenFile(path=path, format="" if form else unknown, header=header)

    def _header(self, handle: str, uses: list[ast.Call]) -> list[str]:
        """Return the names of the values in a file that has one line and no names; else none."""
        writer = next((self._target(call) for call in uses if called(call) == "writer"), "")
        if writer:
            rows = [c for c in self.calls if called(c) in {"writerow", "writerows"} and _owner(c) == writer]
            first = rows[0].args[0] if rows and rows[0].args else None
            first = self.values.get(first.id, first) if isinstance(first, ast.Name) else first
            if not isinstance(first, ast.List | ast.Tuple) or called(rows[0]) == "writerows":
                return []
            names_them = all(isinstance(constant(value), str) for value in first.elts)
            return [] if names_them else _distinct(list(map(_name, first.elts)))
        prints = [call.args for call in uses if called(call) == "print"]
        lines = prints + [
            [c.args[0]] for c in self.calls if called(c) == "write" and _owner(c) == handle and c.args
        ]
        if len(lines) != 1:
            return []
        found = list(_values(lines[0][0])) if len(lines[0]) == 1 else []
        return _distinct(found) if found else []

    def _target(self, call: ast.Call) -> str:
        return next((name for name, value in self.values.items() if value is call), "")


def _values(node: ast.expr) -> Iterator[str]:
    """Yield the names of the values in a line of commas, such as f"{a},{b}"; none where it has other text."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and constant(node.right) == "\n":
        node = node.left
    if isinstance(node, ast.Call) and called(node) in {"str", "repr"} and node.args:
        node = node.args[0]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        if _NUMBERS.fullmatch(str(constant(node.left))):
            yield from map(_name, node.right.elts if isinstance(node.right, ast.Tuple) else [node.right])
    elif isinstance(node, ast.JoinedStr):
        texts = {str(part.value).strip() for part in node.values if isinstance(part, ast.Constant)}
        if texts <= {",", ""}:
            yield from (_name(part.value) for part in node.values if isinstance(part, ast.FormattedValue))
    elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript) or _computes(node):
        yield _name(node) or (called(node) if isinstance(node, ast.Call) else "")


def _computes(node: ast.expr) -> bool:
    """Return whether an expression is certainly one value, and not a line of text that the script composes."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Sub | ast.Mult | ast.Div | ast.Pow) and not isinstance(
            constant(node.right), str
        )
    return isinstance(node, ast.Call) and called(node) not in {"join", "format", "dumps"}


def _distinct(names: list[str]) -> list[str]:
    """Return names for the columns: those of the script, as far as they are there and differ."""
    named = [name or f"value{number}" for number, name in enumerate(names, 1)]
    if len(named) == 1:
        return [names[0] or "value"]
    return named if len(set(named)) == len(named) else [f"value{n}" for n in range(1, len(named) + 1)]


def _name(node: ast.expr) -> str:
    """Return the name of a variable, of args.name, of args["name"], of str(name), or of sys.argv[2], which is arg2."""
    if isinstance(node, ast.Call) and called(node) in {"str", "int", "float"} and len(node.args) == 1:
        return _name(node.args[0])
    if isinstance(node, ast.Subscript):
        key = constant(node.slice)
        if isinstance(key, int) and ast.unparse(node.value) in {"sys.argv", "argv"}:
            return f"arg{key}"
        return key if isinstance(key, str) and key.isidentifier() else ""
    return str(getattr(node, "id", getattr(node, "attr", "")))


def _owner(call: ast.Call) -> str:
    return getattr(getattr(call.func, "value", None), "id", "")


def _for_writing(call: ast.Call) -> bool:
    position = 0 if isinstance(call.func, ast.Attribute) and _is_path(call) else 1
    mode = (
        constant(call.args[position]) if len(call.args) > position else constant(keywords(call).get("mode"))
    )
    return isinstance(mode, str) and mode[:1] in {"w", "a", "x"}


def _is_path(call: ast.Call) -> bool:
    """Return whether open is a method of a path: Path("x").open("w"), and not gzip.open."""
    owner = _owner(call)
    return isinstance(call.func, ast.Attribute) and owner not in {"gzip", "bz2", "lzma", "io", "codecs", "os"}
