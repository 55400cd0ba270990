"""The bookkeeping columns of the table: where, when and with what each task ran."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from packhorse.results.journal import Journal, Record

if TYPE_CHECKING:
    import polars as pl

BOOKKEEPING = ("attempt", "wave", "host", "begin", "wall", "cpu", "memory")


def book_of(indices: list[int], records: Sequence[Record], journal: Journal) -> pl.DataFrame:
    """Return the bookkeeping columns of records, one row per record."""
    import polars as pl

    header = journal.header
    assert header is not None, "records are read only after a good header"
    folders = [f"artifacts/{header.prefix}{record.index}" if record.artifacts else None for record in records]
    frame = pl.DataFrame(
        {
            "ph_index": pl.Series(indices, dtype=pl.Int64),
            "seed": pl.Series([record.seed for record in records], dtype=pl.Int64, strict=False),
            "ph_attempt": pl.Series([record.attempt for record in records], dtype=pl.Int64),
            "ph_begin": pl.Series([record.begin for record in records], dtype=pl.Float64),
            "ph_wall": pl.Series([record.wall for record in records], dtype=pl.Float64),
            "ph_cpu": pl.Series([record.cpu for record in records], dtype=pl.Float64),
            "ph_memory": pl.Series([record.memory for record in records], dtype=pl.Float64).cast(pl.Int64),
            "ph_start": pl.Series([record.start for record in records], dtype=pl.String),
            "ph_artifacts": pl.Series(folders, dtype=pl.String),
        }
    )
    return frame.with_columns(
        pl.lit(header.wave, dtype=pl.Int64).alias("ph_wave"),
        pl.lit(header.host, dtype=pl.String).alias("ph_host"),
        pl.lit(header.code, dtype=pl.String).alias("ph_code"),
        pl.lit(value=False).alias("ph_partial"),
    )


def empty_book() -> pl.DataFrame:
    """Return the bookkeeping columns of no task."""
    import polars as pl

    numbers = dict.fromkeys(("ph_index", "ph_row", "seed", "ph_attempt", "ph_wave", "ph_memory"), pl.Int64())
    seconds = dict.fromkeys(("ph_begin", "ph_wall", "ph_cpu"), pl.Float64())
    return pl.DataFrame(
        schema={
            **numbers,
            **seconds,
            "ph_host": pl.String(),
            "ph_code": pl.String(),
            "ph_start": pl.String(),
            "ph_partial": pl.Boolean(),
            "ph_artifacts": pl.String(),
        }
    )


def bookkeeping_columns(book: pl.DataFrame, codes: Collection[str]) -> list[str]:
    """Return the names of the bookkeeping columns that a table needs; `codes` are the codes that count as current."""
    names = [f"ph_{name}" for name in BOOKKEEPING]
    if book["ph_row"].null_count() < book.height:
        names.insert(0, "ph_row")
    if (book["ph_start"] == "warm").any():
        names.append("ph_start")
    if set(book["ph_code"].unique()) - set(codes) and (codes or book["ph_code"].n_unique() > 1):
        names.append("ph_code")
    if book["ph_partial"].any():
        names.append("ph_partial")
    if book["ph_artifacts"].null_count() < book.height:
        names.append("ph_artifacts")
    return names
