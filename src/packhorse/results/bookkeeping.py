"""The bookkeeping columns of the table: where, when and with what each task ran."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from packhorse.results.journal import Journal, Record

if TYPE_CHECKING:
    import polars as pl

BOOKKEEPING = ("attempt", "wave", "host", "begin", "wall", "cpu", "memory")
_INTEGERS = ("ph_index", "seed", "ph_row", "ph_attempt", "ph_wave", "ph_memory")
_NUMBERS = ("ph_begin", "ph_wall", "ph_cpu")
_TEXTS = ("ph_host", "ph_code", "ph_start", "ph_artifacts")
COLUMNS = (*_INTEGERS, *_NUMBERS, *_TEXTS, "ph_partial")


class Book:
    """The bookkeeping of records, in the order in which they are added.

    A column is kept in pieces, and where all records of a piece have one value, only that is kept: a table of a million
    tasks from one host names the host once.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sizes: list[int] = []
        self._pieces: dict[str, list[pl.Series | _Constant]] = {name: [] for name in COLUMNS}

    def add(
        self,
        indices: Sequence[int],
        records: Sequence[Record],
        journal: Journal,
        *,
        counts: Sequence[int] = (),
        partial: bool = False,
    ) -> None:
        """Add a row for each record, or as many as `counts` says; `indices` are those of the table's space."""
        import polars as pl

        header = journal.header
        assert header is not None, "records are read only after a good header"
        piece: dict[str, pl.Series | _Constant] = {
            "ph_index": pl.Series(indices, dtype=pl.Int64),
            "seed": pl.Series([record.seed for record in records], dtype=pl.Int64, strict=False),
            "ph_attempt": _of([record.attempt for record in records], pl.Int64()),
            "ph_begin": pl.Series([record.begin for record in records], dtype=pl.Float64),
            "ph_wall": pl.Series([record.wall for record in records], dtype=pl.Float64),
            "ph_cpu": pl.Series([record.cpu for record in records], dtype=pl.Float64),
            "ph_memory": pl.Series([record.memory for record in records], dtype=pl.Float64).cast(pl.Int64),
            "ph_start": _of([record.start for record in records], pl.String()),
            "ph_artifacts": _of(
                [f"artifacts/{header.prefix}{r.index}" if r.artifacts else None for r in records], pl.String()
            ),
            "ph_row": _Constant(None),
            "ph_wave": _Constant(header.wave),
            "ph_host": _Constant(header.host),
            "ph_code": _Constant(header.code),
            "ph_partial": _Constant(partial),
        }
        size = len(records)
        if any(count != 1 for count in counts):
            owner = [at for at, count in enumerate(counts) for _ in range(count)]
            piece = {name: it if isinstance(it, _Constant) else it[owner] for name, it in piece.items()}
            number = [at if count > 1 else None for count in counts for at in range(count)]
            piece["ph_row"] = pl.Series(number, dtype=pl.Int64)
            size = len(owner)
        for name, column in piece.items():
            self._pieces[name].append(column)
        self._sizes.append(size)
        self.rows += size

    def constant(self, name: str) -> bool:
        """Return whether all rows have one value in a column."""
        pieces = self._pieces[name]
        return bool(pieces) and all(
            isinstance(piece, _Constant) and piece.value == pieces[0].value  # type: ignore[union-attr]
            for piece in pieces
        )

    def values(self, name: str) -> set[Any]:
        """Return the different values of a column."""
        found: set[Any] = set()
        for piece in self._pieces[name]:
            found |= {piece.value} if isinstance(piece, _Constant) else set(piece.unique().to_list())
        return found

    def take(self, name: str) -> pl.Series:
        """Return a column of all rows, and forget it, so that the table is not twice in memory."""
        column = self.series(name)
        self._pieces[name].clear()
        return column

    def series(self, name: str) -> pl.Series:
        """Return a column of all rows."""
        import polars as pl

        dtype = _dtype(name)
        parts = [
            pl.Series([piece.value], dtype=dtype).new_from_index(0, size)
            if isinstance(piece, _Constant)
            else piece
            for piece, size in zip(self._pieces[name], self._sizes, strict=True)
        ]
        return pl.concat(parts).alias(name) if parts else pl.Series(name, [], dtype=dtype)

    def literal(self, name: str) -> pl.Expr:
        """Return the value of a constant column, which takes no memory in a frame."""
        import polars as pl

        piece = self._pieces[name][0]
        assert isinstance(piece, _Constant)
        return pl.lit(piece.value, dtype=_dtype(name)).alias(name)

    def names(self, codes: Collection[str]) -> list[str]:
        """Return the columns that a table needs beside `ph_index`; `codes` are the codes that count as current."""
        names = [f"ph_{name}" for name in BOOKKEEPING]
        if self.values("ph_row") - {None}:
            names.insert(0, "ph_row")
        if self.values("ph_start") & {"warm", "imported"}:
            names.append("ph_start")
        found = self.values("ph_code")
        if found - set(codes) and (codes or len(found) > 1):
            names.append("ph_code")
        if True in self.values("ph_partial"):
            names.append("ph_partial")
        if self.values("ph_artifacts") - {None}:
            names.append("ph_artifacts")
        return names


class _Constant:
    """The value of all rows of a piece."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def _of(values: list[Any], dtype: pl.DataType) -> pl.Series | _Constant:
    """Return a piece of a column that usually has one value."""
    import polars as pl

    return _Constant(values[0]) if len(set(values)) == 1 else pl.Series(values, dtype=dtype)


def _dtype(name: str) -> pl.DataType:
    import polars as pl

    if name == "ph_partial":
        return pl.Boolean()
    return pl.Int64() if name in _INTEGERS else pl.Float64() if name in _NUMBERS else pl.String()
