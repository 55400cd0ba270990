"""Parquet and Excel."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from packhorse.results.formats.rows import File, Row, missing_library
from packhorse.worker.results.delimited import distinct
from packhorse.worker.results.judgement import flat


def read_parquet(file: File) -> list[Row]:
    """Return the rows of a Parquet file."""
    import polars as pl

    try:
        frame = pl.read_parquet(io.BytesIO(file.data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ValueError(str(error)) from error
    except BaseException as error:  # a panic of the library, at some damaged files, is not an Exception
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise ValueError(str(error)) from error
        raise
    return [flat(row) for row in frame.to_dicts()]


def read_xlsx(file: File) -> list[Row]:
    """Return the rows of a workbook with one sheet, whose first row has the names; formulas count by their last value."""
    try:
        import openpyxl
    except ImportError as error:
        raise missing_library("openpyxl", "excel") from error
    try:
        book = openpyxl.load_workbook(io.BytesIO(file.data), read_only=True, data_only=True)
        sheets = {
            sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets
        }
    except Exception as error:
        raise ValueError(f"it is not a workbook: {error}") from error
    _refuse_formulas(file.data, sheets)
    filled = {
        title: rows for title, rows in sheets.items() if any(any(c is not None for c in row) for row in rows)
    }
    if len(filled) != 1:
        found = ", ".join(filled) or "none"
        raise ValueError(f"a result is one sheet, and {len(filled)} have values: {found}")
    rows = [row for row in next(iter(filled.values())) if any(value is not None for value in row)]
    header = file.setting.get("header")
    if isinstance(header, list | tuple):
        names, body = list(header), rows
    else:
        names, body = distinct(["" if name is None else str(name) for name in rows[0]]), rows[1:]
        if header is not True and all(isinstance(name, int | float) for name in rows[0]):
            raise ValueError(
                "its first row has numbers and no names; write their names, such as header: [a, b]"
            )
    return [dict(zip(names, row, strict=True)) for row in body]


def _refuse_formulas(data: bytes, sheets: Mapping[str, list[list[Any]]]) -> None:
    """Raise ValueError for a formula without a stored value, as programs other than Excel write them."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
    for sheet in book.worksheets:
        for row, values in zip(sheet.iter_rows(), sheets[sheet.title], strict=False):
            for cell, value in zip(row, values, strict=False):
                if value is None and isinstance(cell.value, str) and cell.value.startswith("="):
                    raise ValueError(f"the formula in {cell.coordinate} has no value; write the value")
