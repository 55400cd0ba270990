"""Read the `parameters` mapping of a study into factors: parameters that vary alone or together."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from math import isfinite
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from packhorse.model.space import text as text_of
from packhorse.model.study import Factor
from packhorse.study.files import Read, read_file
from packhorse.study.keys import CHUNKS, MOST_LEVELS, PARAMETERS
from packhorse.study.parameters.conditions import compile_condition, select
from packhorse.study.parameters.generators import choices, generate
from packhorse.study.parameters.levels import (
    check_distinct,
    check_name,
    column,
    identity,
    level_text,
    level_value,
    written_columns,
)
from packhorse.text.keys import read_keys
from packhorse.text.node import Node, as_text, check_text, describe, entries, items, mapping, refuse
from packhorse.text.yaml import decode, parse_yaml

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]", re.ASCII)
_SUFFIXES = (".yaml", ".yml", ".json")


class _Collection(Struct):
    """The factors and conditions read so far; `open_files` are the parameter files being read, to find cycles."""

    read: Read
    seed: int
    factors: list[Factor] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    conditions: list[Node] = field(default_factory=list)
    open_files: list[str] = field(default_factory=list)

    def add(self, factor: Factor, where: str) -> None:
        """Add a factor; refuse a name that another factor has."""
        for name in factor.names:
            if name in self.places:
                first = f" (first at {self.places[name]})" if self.places[name] else ""
                message = f"The parameter '{name}' is given twice{first}."
                refuse(where, message, "Rename or remove one of them.")
            self.places[name] = where
        self.factors.append(factor)


def expand(node: Node, *, read: Read, seed: int = 0, common: bool = False) -> tuple[Factor, ...]:
    """Return the factors of a `parameters` mapping, in its order.

    With `common` seeding, a condition must not connect an index of resampling with other parameters, because the
    seed depends on the former only, and the merged factor does not separate them.
    """
    collection = _Collection(read, seed)
    _collect(node, collection)
    names = list(collection.places)
    conditions = [
        compile_condition(text, item.where, names)
        for item in collection.conditions
        for text in [as_text(item, "a condition")]
    ]
    if common:
        _check_common(collection.factors, conditions)
    return tuple(select(collection.factors, conditions))


def _check_common(factors: list[Factor], conditions: list[Any]) -> None:
    for condition in conditions:
        kinds = {factor.resample for factor in factors if set(factor.names) & set(condition.names)}
        if len(kinds) > 1:
            hint = "Remove bootstrap and permutations from the condition, or write seeding: independent"
            message = "With common seeding, a condition must not combine resampling and parameters."
            refuse(condition.where, message, hint)


def _collect(node: Node, collection: _Collection) -> None:
    for name, child in mapping(node, "parameters").items():
        reader = _READERS.get(name)
        if reader is not None:
            reader(child, collection)
        else:
            collection.add(_factor(check_name(name, child.key), child, collection), child.key)


def _factor(name: str, node: Node, collection: _Collection) -> Factor:
    if isinstance(node.value, dict):
        levels = generate(node, name, collection.seed)
        if isinstance(levels, range):
            resample = "range" not in node.value
            return Factor(names=(name,), range=(levels.start, levels.step, len(levels)), resample=resample)
        return _levels(name, levels, _chosen(node, levels), [node.where])
    if not isinstance(node.value, list):
        return _levels(name, [level_value(node)], [node], [node.where])
    if not node.value:
        refuse(node, f"The list of '{name}' is empty.", f"Write at least one value: {name}: [1]")
    values = [level_value(item) for item in node.value]
    return _levels(name, values, node.value, [item.where for item in node.value])


def _levels(name: str, values: list[Any], nodes: list[Node | None], places: list[str]) -> Factor:
    levels = column(values, name, places[0])
    rows = tuple((value,) for value in levels)
    check_distinct(rows, places, f"The parameter '{name}'")
    return Factor(names=(name,), levels=rows, written=written_columns({name: _texts(nodes, levels)}))


def _texts(nodes: list[Node | None], values: list[Any]) -> list[Any]:
    return [level_text(node, value) for node, value in zip(nodes, values, strict=True)]


def _chosen(node: Node, values: list[Any]) -> list[Node | None]:
    """Return the node of each value that a generator has chosen from a list; None for a computed one."""
    known = {identity(level_value(choice)): choice for choice in reversed(choices(node))}
    return [known.get(identity(value)) for value in values]


def _where(node: Node, collection: _Collection) -> None:
    collection.conditions.extend(items(node))


def _zip(node: Node, collection: _Collection) -> None:
    for group in items(node):
        nodes = {
            check_name(name, child.key): child for name, child in mapping(group, "Each group of zip").items()
        }
        columns = {name: _zip_column(name, child, collection.seed) for name, child in nodes.items()}
        if not columns:
            hint = "Write lists of equal length: {n: [1, 2], m: [3, 4]}"
            refuse(group, "The zip group is empty.", hint)
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            message = f"The lists of a zip group must have equal lengths: {shown}."
            refuse(group, message, "Lengthen the shorter lists.")
        columns = {name: column(values, name, group.where) for name, values in columns.items()}
        rows = tuple(zip(*columns.values(), strict=True))
        check_distinct(rows, [group.where], "The zip group")
        written = written_columns(
            {name: _texts(_zip_nodes(nodes[name], values), values) for name, values in columns.items()}
        )
        collection.add(Factor(names=tuple(columns), levels=rows, written=written), group.where)


def _zip_nodes(node: Node, values: list[Any]) -> list[Node | None]:
    return _chosen(node, values) if isinstance(node.value, dict) else list(node.value)


def _zip_column(name: str, node: Node, seed: int) -> list[Any]:
    if isinstance(node.value, dict):
        levels = generate(node, name, seed, distinct=False)
        if len(levels) > MOST_LEVELS:
            message = f"'{name}' has {len(levels):,} levels; the maximum in a zip is {MOST_LEVELS:,}."
            refuse(node, message, "Shorten it.")
        return list(levels)
    if not isinstance(node.value, list) or not node.value:
        hint = f"Write {name}: [1, 2, 3], or move it out of the zip if it does not vary."
        refuse(node, f"'{name}' in a zip must be a list of values, but is {describe(node)}.", hint)
    return [level_value(item) for item in node.value]


def _file(node: Node, collection: _Collection) -> None:
    path = as_text(node, "file") if isinstance(node.value, str) else ""
    if not path.endswith(_SUFFIXES):
        hint = (
            "Write file: more.yaml; for a parameter that holds file names, use another name, such as input."
        )
        refuse(node, "file must be a YAML file of further parameters.", hint)
    if path in collection.open_files:
        refuse(node, f"The file '{path}' includes itself.", "Remove this line.")
    collection.open_files.append(path)
    _collect(parse_yaml(decode(read_file(collection.read, path, node.where), path), path), collection)
    collection.open_files.pop()


def _resample(name: str) -> Callable[[Node, _Collection], None]:
    def reader(node: Node, collection: _Collection) -> None:
        count = PARAMETERS[name].value(node, name)
        collection.add(Factor(names=(name,), range=(0, 1, count), resample=True), node.key)

    return reader


def _folds(node: Node, collection: _Collection) -> None:
    count = PARAMETERS["folds"].value(node, "folds")
    levels = tuple((fold, count) for fold in range(count))
    collection.add(Factor(names=("fold", "folds"), levels=levels), node.key)


def _chunks(node: Node, collection: _Collection) -> None:
    given = entries(node, CHUNKS, "chunks")
    if ("file" in given) == ("rows" in given) or ("size" in given) == ("count" in given):
        hint = "Write chunks: {file: data.csv, size: 1000}, or chunks: {rows: 50000, count: 20}"
        refuse(node, "chunks takes either file or rows, and either size or count.", hint)
    values = read_keys(given, CHUNKS)
    rows = values["rows"] if "rows" in given else _count_rows(given["file"], collection.read)
    if "size" in given:
        lazy = (rows, values["size"], -(-rows // values["size"]))
    else:
        if values["count"] > rows:
            message = f"count must be at most the number of rows, {rows:,}, but is {values['count']:,}."
            refuse(given["count"], message, f"Write a count from 1 to {rows}.")
        lazy = (rows, 0, values["count"])
    collection.add(Factor(names=("chunk", "start", "stop"), chunks=lazy), node.key)


def _count_rows(node: Node, read: Read) -> int:
    path = as_text(node, "file")
    raw = read_file(read, path, node.where)
    tabular = path.endswith((".csv", ".tsv"))
    count = len(_table(raw, path)) - 1 if tabular else raw.count(b"\n") + (not raw.endswith(b"\n"))
    if not raw or count < 1:
        refuse(node, f"The file '{path}' has no rows.", "Name a file with data.")
    return count


def _table(raw: bytes, path: str) -> list[tuple[int, list[str]]]:
    """Return the rows of a CSV file that are not empty, each with its line number."""
    text = check_text(decode(raw, path), f"{path}:1:1")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if path.endswith(".tsv") else ",")
    try:
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        message = f"The file is not valid CSV: {error}."
        refuse(f"{path}:{reader.line_num}:1", message, "Save it as plain CSV again.")


def _csv(node: Node, collection: _Collection) -> None:
    for path in PARAMETERS["csv"].value(node, "csv"):
        collection.add(_points(path, node, collection.read), node.where)


def _points(path: str, node: Node, read: Read) -> Factor:
    table = _table(read_file(read, path, node.where), path)
    if len(table) < 2:
        hint = "Write a line of names and one line for each point."
        refuse(node, f"The file '{path}' has no points.", hint)
    names = [check_name(name.strip(), f"{path}:1:1") for name in table[0][1]]
    if len(set(names)) < len(names):
        refuse(f"{path}:1:1", "Two columns have the same name.", "Rename one of them.")
    for line, row in table[1:]:
        if len(row) != len(names):
            hint = "Add or remove cells; put a cell that contains a comma in double quotes."
            message = f"The row has {len(row)} cells, but the first line has {len(names)}."
            refuse(f"{path}:{line}:1", message, hint)
    columns = {
        name: column([_typed(row[n]) for _, row in table[1:]], name, f"{path}:1:1")
        for n, name in enumerate(names)
    }
    written = written_columns(
        {
            name: [
                _cell_text(row[n], value) for (_, row), value in zip(table[1:], columns[name], strict=True)
            ]
            for n, name in enumerate(names)
        }
    )
    rows = list(zip(*columns.values(), strict=True))
    return replace(_numbered(names, rows, f"{path}:1:1"), written=written)


def _cell_text(cell: str, value: Any) -> str | None:
    """Return a number of a CSV file as it was written, None where that is its text."""
    shown = cell.strip()
    return None if isinstance(value, str) or shown == text_of(value) else shown


def _typed(cell: str) -> Any:
    """Return a cell as an integer or a finite float if it is written as one; 007 and NA stay texts."""
    text = cell.strip()
    if _INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if _DECIMAL.fullmatch(text) and not _LEADING_ZERO.match(text) and isfinite(float(text)):
        return cell if text.lstrip("+-").isdigit() else float(text)
    return cell


def _numbered(names: list[str], rows: list[tuple[Any, ...]], where: str) -> Factor:
    """Return rows as a factor; if rows repeat, add a parameter `occurrence` that counts repetitions from 0."""
    seen: dict[tuple[Any, ...], int] = {}
    occurrences = []
    for row in rows:
        mark = tuple(identity(value) for value in row)
        occurrences.append(seen.get(mark, 0))
        seen[mark] = occurrences[-1] + 1
    if len(seen) == len(rows):
        return Factor(names=tuple(names), levels=tuple(rows))
    if "occurrence" in names:
        message = "Rows are repeated, so Packhorse adds a column 'occurrence', but the file has one already."
        refuse(where, message, "Rename the column, or remove repeated rows.")
    levels = tuple((*row, number) for row, number in zip(rows, occurrences, strict=True))
    return Factor(names=(*names, "occurrence"), levels=levels)


_READERS: dict[str, Callable[[Node, _Collection], None]] = {
    "zip": _zip,
    "csv": _csv,
    "file": _file,
    "where": _where,
    "bootstrap": _resample("bootstrap"),
    "permutations": _resample("permutations"),
    "folds": _folds,
    "chunks": _chunks,
}
assert set(_READERS) == set(PARAMETERS)
