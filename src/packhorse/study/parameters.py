"""The `parameters` mapping -> factors: what varies, alone or together, and what is left of the product."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from math import isfinite
from typing import Any

from msgspec import Struct, field

from packhorse.model.study import Factor
from packhorse.study.conditions import compile_condition, thin
from packhorse.study.generate import generate
from packhorse.study.keys import CHUNKS, PARAMETERS
from packhorse.study.levels import MOST_LEVELS, check_distinct, check_name, column, identity, level_value
from packhorse.study.reading import Read, fetch
from packhorse.text.node import Node, as_integer, as_text, as_texts, check_text, entries, mapping, refuse
from packhorse.text.yaml import decode, parse_yaml

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]", re.ASCII)
_SUFFIXES = (".yaml", ".yml", ".json")


class _Collection(Struct):
    """What has been read so far; `open_files` are the parameter files being read, to see a circle."""

    read: Read
    seed: int
    factors: list[Factor] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    conditions: list[Node] = field(default_factory=list)
    open_files: list[str] = field(default_factory=list)

    def add(self, factor: Factor, where: str) -> None:
        """Take a factor, unless one of its names is there already."""
        for name in factor.names:
            if name in self.places:
                first = f" (first at {self.places[name]})" if self.places[name] else ""
                refuse(
                    where, f"The parameter '{name}' is given twice{first}.", "Rename or remove one of them."
                )
            self.places[name] = where
        self.factors.append(factor)


def expand(node: Node, *, read: Read, seed: int = 0, common: bool = False) -> tuple[Factor, ...]:
    """Return the factors of a `parameters` mapping, in its order.

    With `common` seeding a condition must not mix an index of resampling with other parameters, since the
    merged factor could no longer say which part of it counts for the seed.
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
    return tuple(thin(collection.factors, conditions))


def _check_common(factors: list[Factor], conditions: list[Any]) -> None:
    for condition in conditions:
        kinds = {factor.resample for factor in factors if set(factor.names) & set(condition.names)}
        if len(kinds) > 1:
            hint = "Leave bootstrap and permutations out of the condition, or write seeding: independent."
            refuse(
                condition.where, "With common seeding a condition cannot mix resampling and parameters.", hint
            )


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
        return _levels(name, levels, [node.where])
    if not isinstance(node.value, list):
        return _levels(name, [level_value(node)], [node.where])
    if not node.value:
        refuse(node, f"The list of '{name}' is empty.", f"Write at least one value: {name}: [1]")
    return _levels(name, [level_value(item) for item in node.value], [item.where for item in node.value])


def _levels(name: str, values: list[Any], places: list[str]) -> Factor:
    rows = tuple((value,) for value in column(values, name, places[0]))
    check_distinct(rows, places, f"The parameter '{name}'")
    return Factor(names=(name,), levels=rows)


def _where(node: Node, collection: _Collection) -> None:
    items = node.value if isinstance(node.value, list) else [node]
    collection.conditions.extend(items)


def _zip(node: Node, collection: _Collection) -> None:
    for group in node.value if isinstance(node.value, list) else [node]:
        columns = {
            check_name(name, child.key): _zip_column(name, child, collection.seed)
            for name, child in mapping(group, "a group of zip").items()
        }
        if not columns:
            refuse(
                group, "This group of zip is empty.", "Write lists of equal length: {n: [1, 2], m: [3, 4]}."
            )
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            refuse(
                group,
                f"The lists of a zip group must be equally long: {shown}.",
                "Lengthen the shorter ones.",
            )
        rows = tuple(zip(*(column(v, name, group.where) for name, v in columns.items()), strict=True))
        check_distinct(rows, [group.where], "This group of zip")
        collection.add(Factor(names=tuple(columns), levels=rows), group.where)


def _zip_column(name: str, node: Node, seed: int) -> list[Any]:
    if isinstance(node.value, dict):
        levels = generate(node, name, seed, distinct=False)
        if len(levels) > MOST_LEVELS:
            refuse(
                node,
                f"'{name}' has {len(levels):,} levels; in a zip {MOST_LEVELS:,} is the most.",
                "Shorten it.",
            )
        return list(levels)
    if not isinstance(node.value, list) or not node.value:
        hint = f"Write {name}: [1, 2, 3], or take it out of the zip if it does not vary."
        refuse(node, f"'{name}' in a zip must be a list with values.", hint)
    return [level_value(item) for item in node.value]


def _file(node: Node, collection: _Collection) -> None:
    path = as_text(node, "file") if isinstance(node.value, str) else ""
    if not path.endswith(_SUFFIXES):
        hint = "Write file: more.yaml; to have a parameter of files, call it input or path."
        refuse(node, "The key file adds the parameters of another YAML file.", hint)
    if path in collection.open_files:
        refuse(node, f"The file '{path}' includes itself.", "Remove this line.")
    collection.open_files.append(path)
    _collect(parse_yaml(decode(fetch(collection.read, path, node.where), path), path), collection)
    collection.open_files.pop()


def _resample(name: str) -> Callable[[Node, _Collection], None]:
    def reader(node: Node, collection: _Collection) -> None:
        count = as_integer(node, name, 1)
        collection.add(Factor(names=(name,), range=(0, 1, count), resample=True), node.key)

    return reader


def _folds(node: Node, collection: _Collection) -> None:
    count = as_integer(node, "folds", 2, MOST_LEVELS)
    levels = tuple((fold, count) for fold in range(count))
    collection.add(Factor(names=("fold", "folds"), levels=levels), node.key)


def _chunks(node: Node, collection: _Collection) -> None:
    given = entries(node, CHUNKS, "chunks")
    if ("file" in given) == ("rows" in given) or ("size" in given) == ("count" in given):
        hint = "Write chunks: {file: data.csv, size: 1000}, or chunks: {rows: 50000, count: 20}."
        refuse(node, "chunks takes file or rows, and size or count.", hint)
    rows = given.get("rows")
    total = as_integer(rows, "rows", 1) if rows else _count_rows(given["file"], collection.read)
    if "size" in given:
        part = as_integer(given["size"], "size", 1)
        lazy = (total, part, -(-total // part))
    else:
        lazy = (total, 0, as_integer(given["count"], "count", 1, total))
    collection.add(Factor(names=("chunk", "start", "stop"), chunks=lazy), node.key)


def _count_rows(node: Node, read: Read) -> int:
    path = as_text(node, "file")
    raw = fetch(read, path, node.where)
    tabular = path.endswith((".csv", ".tsv"))
    count = len(_table(raw, path)) - 1 if tabular else raw.count(b"\n") + (not raw.endswith(b"\n"))
    if not raw or count < 1:
        refuse(node, f"The file '{path}' has no rows to divide.", "Name a file with data.")
    return count


def _table(raw: bytes, path: str) -> list[tuple[int, list[str]]]:
    """Return the rows of a CSV that hold anything, each with its line number."""
    text = check_text(decode(raw, path), f"{path}:1:1")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if path.endswith(".tsv") else ",")
    try:
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        refuse(
            f"{path}:{reader.line_num}:1", f"This is not valid CSV: {error}.", "Save it as plain CSV again."
        )


def _csv(node: Node, collection: _Collection) -> None:
    for path in as_texts(node, "csv"):
        collection.add(_points(path, node, collection.read), node.where)


def _points(path: str, node: Node, read: Read) -> Factor:
    table = _table(fetch(read, path, node.where), path)
    if len(table) < 2:
        refuse(node, f"The file '{path}' has no points.", "Write a line of names and a line for each point.")
    names = [check_name(name.strip(), f"{path}:1:1") for name in table[0][1]]
    if len(set(names)) < len(names):
        refuse(f"{path}:1:1", "Two columns have the same name.", "Rename one of them.")
    for line, row in table[1:]:
        if len(row) != len(names):
            hint = "Fill or remove cells; a cell that holds a comma must be in double quotes."
            refuse(f"{path}:{line}:1", f"This row has {len(row)} cells, the first line {len(names)}.", hint)
    columns = [
        column([_typed(row[n]) for _, row in table[1:]], name, f"{path}:1:1") for n, name in enumerate(names)
    ]
    return _numbered(names, list(zip(*columns, strict=True)), f"{path}:1:1")


def _typed(cell: str) -> Any:
    """Return a cell as an integer or a finite float where it is written as one; 007 and NA stay words."""
    said = cell.strip()
    if _INTEGER.fullmatch(said) and -(2**63) <= int(said) < 2**63:
        return int(said)
    if _DECIMAL.fullmatch(said) and not _LEADING_ZERO.match(said) and isfinite(float(said)):
        return cell if said.lstrip("+-").isdigit() else float(said)
    return cell


def _numbered(names: list[str], rows: list[tuple[Any, ...]], where: str) -> Factor:
    """Return rows as a factor; equal rows get a further name, `occurrence`, which counts them from 0."""
    seen: dict[tuple[Any, ...], int] = {}
    occurrences = []
    for row in rows:
        mark = tuple(identity(value) for value in row)
        occurrences.append(seen.get(mark, 0))
        seen[mark] = occurrences[-1] + 1
    if len(seen) == len(rows):
        return Factor(names=tuple(names), levels=tuple(rows))
    if "occurrence" in names:
        refuse(
            where,
            "Rows are equal, and the name 'occurrence' that numbers them is taken.",
            "Rename the column.",
        )
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
