"""Table columns from values: their common type, and clashes of types.

Integers and floats combine to floats if every integer is exact in a double; null combines with any type; integers
beyond 64 bits become decimal text. Texts among numbers that only say NA, NaN, None and the like, as some libraries write
them into JSON, are missing or numbers. All other mixtures are a clash, and the column becomes JSON text. Arrays are not in
the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from packhorse.model.space import spelling
from packhorse.results.formats.rows import Array, Row
from packhorse.results.payload import json_text, plain
from packhorse.worker.results.cells import BLANK, MISSING, NUMBERS

if TYPE_CHECKING:
    import polars as pl

INT64 = (-(2**63), 2**63 - 1)
UINT64 = (0, 2**64 - 1)
MAX_EXACT = 2**53  # all integers up to this one are exact in a double
EXAMPLES = 5

_KINDS = {bool: "true/false", int: "integer", float: "number", str: "text", list: "list", dict: "list"}


class Clash(Struct, frozen=True):
    """A column whose values have no common type."""

    column: str
    kinds: dict[str, int]  # kind -> number of values, rarest first
    tasks: tuple[int, ...]  # examples, those with the rarest kind first


class Column:
    """One growing column, stored in pieces that keep every bit."""

    def __init__(self, *, as_text: bool = False, as_numbers: bool = False) -> None:
        self.as_text = as_text
        self.as_numbers = as_numbers  # whether texts such as None and NaN are missing values or numbers
        self.missing_texts: dict[str, int] = {}  # how often each was
        self.only_missing = True  # whether all texts so far are such
        self.arrays = 0  # number of values that are arrays
        self.first: tuple[int, int] | None = None  # (lowest task, place in its row), which orders columns
        self.pieces: list[tuple[int, pl.Series]] = []
        self.kinds: set[str] = set()
        self.low = self.high = 0
        self.exact = True
        self.broken = False
        self.examples: dict[str, tuple[int, list[int]]] = {}

    @property
    def needs_numbers(self) -> bool:
        """Whether the column mixes numbers, or true and false, only with texts such as None and NaN."""
        others = self.kinds - {"text"}
        numeric = others in ({"true/false"}, {"integer"}, {"number"}, {"integer", "number"})
        return "text" in self.kinds and numeric and self.only_missing

    @property
    def clash(self) -> bool:
        """Whether the values so far have no common type."""
        mixed = len(self.kinds) > 1 and self.kinds != {"integer", "number"}
        return self.broken or mixed or (len(self.kinds) > 1 and not self.exact)

    def see(self, first: tuple[int, int]) -> None:
        """Record a position of the column, so that the column order does not depend on the order of calls."""
        self.first = first if self.first is None else min(self.first, first)

    def add(self, start: int, values: list[Any], tasks: Sequence[int], types: set[type]) -> None:
        """Append the values of rows start, start + 1, ..., with the task of each and the set of their types."""
        if Array in types:
            self.arrays += sum(type(value) is Array for value in values)
            values = [None if type(value) is Array else value for value in values]
        if self.as_numbers and str in types:
            values = [self._without_missing(value) for value in values]
            types = set(map(type, values))
        elif self.only_missing and str in types:
            self.only_missing = all(_is_missing(value) for value in values if type(value) is str)
        kinds = {_KINDS.get(kind, "text") for kind in types - {type(None), Array}}
        self.kinds |= kinds
        if self.as_text:
            self._count_kinds(values, tasks)
            self.pieces.append((start, _texts([None if v is None else json_text(v) for v in values])))
        elif "integer" in kinds and kinds <= {"integer", "number"}:
            self._add_integers(start, values, types)
        elif len(kinds) == 1:
            self.pieces.append((start, _single(values, next(iter(kinds)))))
        elif kinds:
            self.broken = True

    def _without_missing(self, value: Any) -> Any:
        if type(value) is not str:
            return value
        if value not in BLANK:
            self.missing_texts[value] = self.missing_texts.get(value, 0) + 1
        return NUMBERS.get(value)

    def _add_integers(self, start: int, values: list[Any], types: set[type]) -> None:
        import polars as pl

        integers = values if types == {int} else [value for value in values if type(value) is int]
        low, high = min(integers), max(integers)
        self.low, self.high = min(self.low, low), max(self.high, high)
        if low < -MAX_EXACT or high > MAX_EXACT:
            self.exact = self.exact and all(map(_exact, integers))
        if float in types:
            if self.exact:
                floats = [None if value is None else float(value) for value in values]
                self.pieces.append((start, pl.Series(floats, dtype=pl.Float64)))
        elif INT64[0] <= low and high <= INT64[1]:
            self.pieces.append((start, pl.Series(values, dtype=pl.Int64)))
        else:
            self.pieces.append((start, _texts([None if v is None else str(v) for v in values])))

    def _count_kinds(self, values: list[Any], tasks: Sequence[int]) -> None:
        for value, task in zip(values, tasks, strict=True):
            if value is not None:
                kind = _KINDS.get(type(value), "text")
                count, lowest = self.examples.get(kind, (0, []))
                if not lowest or task not in lowest:
                    lowest = sorted([*lowest, task])[:EXAMPLES]
                self.examples[kind] = (count + 1, lowest)

    def series(self, name: str, rows: int) -> pl.Series:
        """Return the column of all rows; rows without a value are null."""
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

    def describe_clash(self, name: str) -> Clash:
        """Return the clash of this column, which must have been read as text."""
        rarest = sorted(self.examples.items(), key=lambda item: item[1][0])
        tasks = [task for _, (_, lowest) in rarest for task in lowest]
        return Clash(
            name, {kind: count for kind, (count, _) in rarest}, tuple(dict.fromkeys(tasks))[:EXAMPLES]
        )


class Columns:
    """All result columns, filled by batches of rows."""

    def __init__(self, as_text: Collection[str] = (), as_numbers: Collection[str] = ()) -> None:
        self.as_text, self.as_numbers = frozenset(as_text), frozenset(as_numbers)
        self.rows = 0
        self.columns: dict[str, Column] = {}

    def add(self, rows: list[Row], tasks: list[int]) -> None:
        """Append rows, with the task of each."""
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
        self, values: Mapping[str, list[Any]], types: Mapping[str, set[type]], tasks: Sequence[int]
    ) -> None:
        """Append rows that all have the same names, given by column in the name order of the lowest task's row."""
        self._see(values, min(tasks))
        for name, column in values.items():
            self.columns[name].add(self.rows, column, tasks, types[name])
        self.rows += len(tasks)

    def _see(self, names: Iterable[str], first: int) -> None:
        """Record the names of rows whose lowest task is `first`."""
        for place, name in enumerate(names):
            if name not in self.columns:
                self.columns[name] = Column(as_text=name in self.as_text, as_numbers=name in self.as_numbers)
            self.columns[name].see((first, place))

    @property
    def clashes(self) -> list[str]:
        """The names of the columns that must be read again as text, in the order of the table."""
        return [
            name
            for name, column in self.named()
            if column.clash and not column.as_text and not column.needs_numbers
        ]

    @property
    def numeric(self) -> list[str]:
        """The names of the columns that must be read again as numbers with missing values."""
        return [name for name, column in self.named() if column.needs_numbers and not column.as_numbers]

    @property
    def arrays(self) -> dict[str, int]:
        """How many arrays each name has."""
        return {name: column.arrays for name, column in self.columns.items() if column.arrays}

    def named(self) -> list[tuple[str, Column]]:
        """Return names and columns in order: by the lowest task with the column, then by position in its row."""
        tabular = {name: column for name, column in self.columns.items() if column.kinds or not column.arrays}
        return sorted(tabular.items(), key=lambda item: item[1].first or (0, 0))


def typed_column(name: str, values: list[Any], written: Sequence[Any] | None = None) -> pl.Series:
    """Return the levels of a parameter as one column, as text where they have no common type.

    `written` are the texts of levels that were not written as their values are. Lists are JSON in any column.
    """
    types = set(map(type, values))
    column = Column()
    column.add(0, values, range(len(values)), types)
    if column.clash:
        column = Column()
        texts = [
            value if value is None else json_text(value) if isinstance(value, list) else spelling(value, its)
            for value, its in zip(values, written or [None] * len(values), strict=True)
        ]
        column.add(0, texts, range(len(values)), set(map(type, texts)))
    return column.series(name, len(values))


def free_names(results: Sequence[str], taken: Collection[str]) -> Mapping[str, str]:
    """Return {result column: its name in the table}: NAME_result where NAME is taken or begins with `ph_`.

    Bytes that are not UTF-8 become backslash escapes.
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
    """Return {distinct sequence of names: lowest task with it}."""
    shapes = list(map(tuple, rows))
    distinct = set(shapes)
    if len(distinct) == 1:
        return {shapes[0]: min(tasks)}
    lowest: dict[tuple[str, ...], int] = {}
    for shape, task in zip(shapes, tasks, strict=True):
        if task < lowest.get(shape, task + 1):
            lowest[shape] = task
    return lowest


def _is_missing(text: str) -> bool:
    return text in BLANK or text in MISSING or text in NUMBERS


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
    """Return text with bytes that are not UTF-8 (lone surrogates) as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _texts(values: list[Any]) -> pl.Series:
    """Return a text column, with bytes that are not UTF-8 (lone surrogates) as backslash escapes."""
    import polars as pl

    try:
        "".join(value for value in values if value is not None).encode()
    except UnicodeEncodeError:
        values = [None if v is None else escape_surrogates(v) for v in values]
    return pl.Series([None if v is None else str(v) for v in values], dtype=pl.String)
