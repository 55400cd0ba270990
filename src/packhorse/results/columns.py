"""Columns out of values: their common type, what unites and what clashes.

Integers and floats unite when every integer is exact in a double; null joins anything; integers beyond 64
bits become decimal text. Anything else is a clash, and the column becomes JSON text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from packhorse.results.payload import Row, json_text, plain

if TYPE_CHECKING:
    import polars as pl

INT64 = (-(2**63), 2**63 - 1)
UINT64 = (0, 2**64 - 1)
EXACT = 2**53  # integers up to here are all exact in a double
EXAMPLES = 5

_KINDS = {bool: "true/false", int: "integer", float: "number", str: "text", list: "list", dict: "list"}


class Clash(Struct, frozen=True):
    """A column whose values have no common type: how many of which kind, and tasks with the rarest first."""

    column: str
    kinds: dict[str, int]
    tasks: tuple[int, ...]


class Column:
    """One column as it grows, in pieces that keep every bit."""

    def __init__(self, *, as_text: bool = False) -> None:
        self.as_text = as_text
        self.first: tuple[int, int] | None = None  # (lowest task, place in its row), which orders columns
        self.pieces: list[tuple[int, pl.Series]] = []
        self.kinds: set[str] = set()
        self.low = self.high = 0
        self.exact = True
        self.broken = False
        self.examples: dict[str, tuple[int, list[int]]] = {}

    @property
    def clash(self) -> bool:
        """Say whether the values so far have no common type."""
        mixed = len(self.kinds) > 1 and self.kinds != {"integer", "number"}
        return self.broken or mixed or (len(self.kinds) > 1 and not self.exact)

    def see(self, first: tuple[int, int]) -> None:
        """Note where the column was seen, so that its place does not depend on the order of work."""
        self.first = first if self.first is None else min(self.first, first)

    def add(self, start: int, values: list[Any], tasks: Sequence[int], types: set[type]) -> None:
        """Append the values of rows start, start + 1, ... which belong to these tasks and have these types."""
        kinds = {_KINDS.get(kind, "text") for kind in types - {type(None)}}
        self.kinds |= kinds
        if self.as_text:
            self._count(values, tasks)
            self.pieces.append((start, _texts([None if v is None else json_text(v) for v in values])))
        elif "integer" in kinds and kinds <= {"integer", "number"}:
            self._add_integers(start, values, types)
        elif len(kinds) == 1:
            self.pieces.append((start, _single(values, next(iter(kinds)))))
        elif kinds:
            self.broken = True

    def _add_integers(self, start: int, values: list[Any], types: set[type]) -> None:
        import polars as pl

        integers = values if types == {int} else [value for value in values if type(value) is int]
        low, high = min(integers), max(integers)
        self.low, self.high = min(self.low, low), max(self.high, high)
        if low < -EXACT or high > EXACT:
            self.exact = self.exact and all(map(_exact, integers))
        if float in types:
            if self.exact:
                floats = [None if value is None else float(value) for value in values]
                self.pieces.append((start, pl.Series(floats, dtype=pl.Float64)))
        elif INT64[0] <= low and high <= INT64[1]:
            self.pieces.append((start, pl.Series(values, dtype=pl.Int64)))
        else:
            self.pieces.append((start, _texts([None if v is None else str(v) for v in values])))

    def _count(self, values: list[Any], tasks: Sequence[int]) -> None:
        for value, task in zip(values, tasks, strict=True):
            if value is not None:
                kind = _KINDS.get(type(value), "text")
                count, lowest = self.examples.get(kind, (0, []))
                if not lowest or task not in lowest:
                    lowest = sorted([*lowest, task])[:EXAMPLES]
                self.examples[kind] = (count + 1, lowest)

    def series(self, name: str, rows: int) -> pl.Series:
        """Return the column over all rows; rows that no piece covers are null."""
        import polars as pl

        dtype = self._dtype()
        parts = []
        at = 0
        for start, piece in sorted(self.pieces, key=itemgetter(0)):
            if start > at:
                parts.append(pl.Series([None], dtype=dtype).new_from_index(0, start - at))
            parts.append(piece.cast(dtype))
            at = start + len(piece)
        if rows > at:
            parts.append(pl.Series([None], dtype=dtype).new_from_index(0, rows - at))
        return pl.concat(parts).alias(name) if parts else pl.Series(name, [], dtype=dtype)

    def _dtype(self) -> pl.DataType:
        import polars as pl

        if self.as_text or not self.kinds & {"true/false", "integer", "number"}:
            return pl.String()
        if self.kinds == {"true/false"}:
            return pl.Boolean()
        if "number" in self.kinds:
            return pl.Float64()
        if INT64[0] <= self.low and self.high <= INT64[1]:
            return pl.Int64()
        return pl.UInt64() if self.low >= UINT64[0] and self.high <= UINT64[1] else pl.String()

    def told(self, name: str) -> Clash:
        """Return the clash in words; only a column that was read as text knows it."""
        rarest = sorted(self.examples.items(), key=lambda item: item[1][0])
        tasks = [task for _, (_, lowest) in rarest for task in lowest]
        return Clash(
            name, {kind: count for kind, (count, _) in rarest}, tuple(dict.fromkeys(tasks))[:EXAMPLES]
        )


class Columns:
    """All result columns, filled in batches of rows."""

    def __init__(self, as_text: Collection[str] = ()) -> None:
        self.as_text = frozenset(as_text)
        self.rows = 0
        self.columns: dict[str, Column] = {}

    def add(self, rows: list[Row], tasks: list[int]) -> None:
        """Append rows, each of the task at the same place in `tasks`."""
        for shape, first in _shapes(rows, tasks).items():
            self._see(shape, first)
        for name, column in self.columns.items():
            try:
                values = list(map(itemgetter(name), rows))
            except KeyError:  # some rows lack it
                values = [row.get(name) for row in rows]
            column.add(self.rows, values, tasks, set(map(type, values)))
        self.rows += len(rows)

    def add_values(
        self, values: Mapping[str, list[Any]], types: Mapping[str, set[type]], tasks: list[int]
    ) -> None:
        """Append rows that all have the same names, given as columns in the order of the lowest task's row."""
        self._see(values, min(tasks))
        for name, given in values.items():
            self.columns[name].add(self.rows, given, tasks, types[name])
        self.rows += len(tasks)

    def _see(self, names: Iterable[str], first: int) -> None:
        """Note the names of a row, the lowest of whose tasks is `first`."""
        for place, name in enumerate(names):
            if name not in self.columns:
                self.columns[name] = Column(as_text=name in self.as_text)
            self.columns[name].see((first, place))

    @property
    def clashes(self) -> list[str]:
        """The columns that have to be read again as text."""
        return [name for name, column in self.columns.items() if column.clash and not column.as_text]

    def named(self) -> list[tuple[str, Column]]:
        """Return the columns in order: by the lowest task that has each, then by place in its row."""
        return sorted(self.columns.items(), key=lambda item: item[1].first or (0, 0))


def typed_column(name: str, values: list[Any]) -> pl.Series:
    """Return values as one column, JSON text where they have no common type."""
    types = set(map(type, values))
    column = Column()
    column.add(0, values, range(len(values)), types)
    if column.clash:
        column = Column(as_text=True)
        column.add(0, values, range(len(values)), types)
    return column.series(name, len(values))


def free_names(results: Sequence[str], taken: Collection[str]) -> Mapping[str, str]:
    """Return result column -> its name in the table: NAME_result where a parameter or `ph_` has the name.

    Bytes that are not UTF-8 show as escapes.
    """
    reserved = set(taken)
    chosen: dict[str, str] = {}
    for name in results:
        new = escape_surrogates(name)
        if new in reserved or new.startswith("ph_") or (new != name and new in results):
            new = f"{new}_result"
            while new in reserved or new in results or new in chosen.values():
                new = f"{new}_result"
        chosen[name] = new
    return chosen


def _shapes(rows: list[Row], tasks: list[int]) -> dict[tuple[str, ...], int]:
    """Return each distinct sequence of names with the lowest task that has it."""
    shapes = list(map(tuple, rows))
    distinct = set(shapes)
    if len(distinct) == 1:
        return {shapes[0]: min(tasks)}
    found: dict[tuple[str, ...], int] = {}
    for shape, task in zip(shapes, tasks, strict=True):
        if task < found.get(shape, task + 1):
            found[shape] = task
    return found


def _exact(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _single(values: list[Any], kind: str) -> pl.Series:
    import polars as pl

    if kind == "number":
        return pl.Series(values, dtype=pl.Float64)
    if kind == "true/false":
        return pl.Series(values, dtype=pl.Boolean)
    if kind == "text":
        return _texts([v if v is None or isinstance(v, str) else plain(v) for v in values])
    return _texts([None if v is None else json_text(v) for v in values])


def escape_surrogates(text: str) -> str:
    """Return text that any file can hold: bytes that are not UTF-8 (lone surrogates) as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _texts(values: list[Any]) -> pl.Series:
    """Return a text column; bytes that are not UTF-8 (lone surrogates) show as backslash escapes."""
    import polars as pl

    try:
        "".join(value for value in values if value is not None).encode()
    except UnicodeEncodeError:
        values = [None if v is None else escape_surrogates(v) for v in values]
    return pl.Series([None if v is None else str(v) for v in values], dtype=pl.String)
