"""Read a table from a file, or from a frame of polars, pandas or Arrow, and divide it into cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from packhorse.model.errors import UsageError

MISSING = ("", "NA", "null", "None")  # texts of a CSV file for a missing value


def read_table(table: Any) -> pl.DataFrame:
    """Return a polars frame from a path (CSV or Parquet), a mapping of columns, or a polars, pandas or Arrow table.

    Values that are lists or structures become text, so that cells can be named by them.
    Raises UsageError for a file that is missing or cannot be read, and for another type.
    """
    frame = _frame(table)
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    texts = [
        pl.Series(name, [None if one is None else str(one) for one in frame[name].to_list()])
        for name in nested
    ]
    return frame.with_columns(texts)


def _frame(table: Any) -> pl.DataFrame:
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, str | Path):
        return _from_file(Path(table))
    try:
        if isinstance(table, Mapping):
            return pl.DataFrame(dict(table), strict=False)  # integers among floats
        if hasattr(table, "iloc"):
            return pl.from_pandas(table, nan_to_null=False)
        if hasattr(table, "__arrow_c_stream__") or hasattr(table, "schema"):
            found = pl.from_arrow(table)
            return found if isinstance(found, pl.DataFrame) else found.to_frame()
    except (pl.exceptions.PolarsError, TypeError, ValueError, ImportError) as error:
        raise UsageError(f"this {type(table).__name__} is not a table: {error}") from error
    raise UsageError(
        f"expected a table, found {type(table).__name__}",
        "give a path, or a frame of polars, pandas or Arrow",
    )


def _from_file(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise UsageError(f"no table {path}", "packhorse runs lists the runs here")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        # All rows decide about the type of a column: a guess from the first ones would be another number later.
        return pl.read_csv(path, infer_schema_length=None, null_values=list(MISSING))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UsageError(f"{path} cannot be read as a table: {error}", "give a CSV or Parquet file") from None


def column(table: pl.DataFrame, name: str, use: str) -> pl.Series:
    """Return a column as floats; raise UsageError where it is missing or not numeric. `use` says what it is for."""
    if name not in table.columns:
        columns = ", ".join(table.columns)
        raise UsageError(f"the table has no column {name!r} ({use})", f"its columns are: {columns}")
    dtype = table.schema[name]
    if is_number(dtype):
        return table[name].cast(pl.Float64)
    if dtype == pl.String and table[name].drop_nulls().str.to_lowercase().is_in(["true", "false"]).all():
        return (table[name].str.to_lowercase() == "true").cast(pl.Float64)
    raise UsageError(f"the column {name!r} ({use}) is not numeric: its type is {dtype}")


def is_number(dtype: pl.DataType) -> bool:
    """Return whether values of this type are numbers, true or false, or all missing."""
    return dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)


def result_columns(table: pl.DataFrame, by: Sequence[str]) -> list[str]:
    """Return the columns of numbers that are results: not of `by`, not `replicate` or `seed`, not bookkeeping (ph_)."""
    start = table.columns.index("seed") + 1 if "seed" in table.columns else 0
    given = {*by, "replicate", "seed", *(f"{name}_result" for name in (*by, "replicate", "seed"))}
    return [
        name
        for name in table.columns[start:]
        if name not in given and not name.startswith("ph_") and is_number(table.schema[name])
    ]


def cells(table: pl.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    """Yield the cells of a table in order: the values of `by`, and the rows. Raise UsageError for an unknown column."""
    for name in by:
        if name not in table.columns:
            columns = ", ".join(table.columns)
            raise UsageError(f"the table has no column {name!r} to group by", f"its columns are: {columns}")
    if not by:
        yield {}, table
        return
    groups = table.partition_by(list(by), maintain_order=True, as_dict=True)
    for key in sorted(groups, key=lambda values: tuple(map(_order, values))):
        yield dict(zip(by, key, strict=True)), groups[key]


def _order(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | float) else (2, str(value))


def cell_name(cell: Mapping[str, Any]) -> str:
    """Return a cell as messages name it."""
    return ", ".join(f"{name}={value}" for name, value in cell.items()) or "all rows"


def factors_of(table: pl.DataFrame) -> list[str]:
    """Return the parameters of a table of Packhorse: the columns before `replicate` or `seed`."""
    for mark in ("replicate", "seed"):
        if mark in table.columns:
            return table.columns[: table.columns.index(mark)]
    return []
