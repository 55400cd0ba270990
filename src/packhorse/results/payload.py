"""Rows of a record's result: a dict for each row, in the order that the script wrote.

Numbers keep every bit. JSON may contain NaN and Infinity, as Python and R write them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from zlib import crc32

import msgspec
from msgspec import UNSET

from packhorse.results.journal import Journal, Record

Row = dict[str, Any]
RESULT = "result"  # the column of a result that is one value without a name
UNNAMED = "unnamed"  # the column of an empty name, such as the row names of R's write.csv

# Leading zeros make an identifier ("007"), not a number; underscores and blanks are not digits.
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
# How R, Python, C, Julia and NumPy print values without digits.
_SPECIAL_VALUES: dict[str, Any] = {
    "": None,
    "NA": None,
    **dict.fromkeys(("TRUE", "True", "true"), True),
    **dict.fromkeys(("FALSE", "False", "false"), False),
    **dict.fromkeys(("NaN", "nan", "-nan", "-NaN"), float("nan")),
    **dict.fromkeys(("Inf", "inf", "+inf", "Infinity"), float("inf")),
    **dict.fromkeys(("-Inf", "-inf", "-Infinity"), float("-inf")),
}


class UnreadableError(Exception):
    """A result that cannot be read, with the reason."""


class Payloads:
    """Reader of the results of one journal's records. A context manager, since it may keep the pack open."""

    def __init__(self, journal: Journal, default_format: str = "text") -> None:
        self.journal = journal
        self.default_format = default_format
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def rows(self, record: Record) -> list[Row]:
        """Return the rows of one record; a record without a result has one row without columns.

        Raise UnreadableError where the result cannot be read.
        """
        value = record.json
        if type(value) is dict and "" not in value and dict not in map(type, value.values()):
            return [value]  # by far the most frequent case
        if value is not UNSET:
            return _json_rows(value)
        data = self.data(record)
        if data is None:
            return [{}]
        name = record.format or self.default_format
        reader = _READERS.get(name)
        if reader is None:
            raise UnreadableError(f"a result in the format {name!r} cannot be read")
        try:
            return reader(data)
        except UnicodeDecodeError as error:
            raise UnreadableError(f"the {name} result is not UTF-8 at byte {error.start}") from error
        except (ValueError, RecursionError, csv.Error) as error:
            raise UnreadableError(f"the {name} result cannot be read: {_first_line(error)}") from error

    def data(self, record: Record) -> bytes | None:
        """Return the bytes of a result file, or None where the record has none. Raise UnreadableError."""
        if record.text is not None:
            return record.text.encode("utf-8", "surrogateescape")
        if record.pack is None:
            return None
        offset, length, check = record.pack
        try:
            if self._file is None:
                self._file = self.journal.pack.open("rb")
            self._file.seek(offset)
            data = self._file.read(length)
        except (OSError, ValueError) as error:
            raise UnreadableError(f"the pack {self.journal.pack.name} cannot be read: {error}") from error
        if len(data) != length or crc32(data) != check:
            raise UnreadableError(f"the result in {self.journal.pack.name} has a wrong checksum")
        return data

    def exact(self, record: Record) -> object:
        """Return a value that is equal for two results if and only if all their bytes and float bits are equal."""
        if record.json is not UNSET:
            # repr distinguishes 1 from 1.0, 0.0 from -0.0, and one float from its neighbour.
            return ("json", repr(record.json))
        try:
            return ("data", self.data(record))
        except UnreadableError as error:
            return ("unreadable", str(error), record.pack)


def decode_json(data: bytes) -> Any:
    """Decode JSON exactly, including NaN, Infinity and -Infinity; raise ValueError for other text."""
    try:
        return msgspec.json.decode(data)
    except ValueError:
        return json.loads(data.decode("utf-8-sig", "surrogateescape"))


def json_text(value: Any) -> str:
    """Return a value as compact JSON, with all digits of floats."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)


def plain(value: Any) -> Any:
    """Return a Parquet value that JSON lacks as a text or number."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)


def cell(text: str) -> Any:
    """Return the value of one CSV cell: None, bool, int, float or the text itself."""
    if text in _SPECIAL_VALUES:
        return _SPECIAL_VALUES[text]
    if _INTEGER.fullmatch(text):
        return -0.0 if text == "-0" else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _json_rows(value: Any) -> list[Row]:
    if type(value) is dict:
        return [_flat(value)]
    if type(value) is list and all(type(row) is dict for row in value):
        return [_flat(row) for row in value]
    return [{RESULT: value}]


def _flat(row: Row) -> Row:
    """Return a row with the names of nested objects joined by dots."""
    flat: Row = {}
    for name, value in _leaves(row, ""):
        if name in flat:
            raise UnreadableError(f"two values of the result are named {name!r}")
        flat[name] = value
    return flat


def _leaves(row: Row, prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        name = prefix + (key or UNNAMED)
        if type(value) is dict and value:
            yield from _leaves(value, name + ".")
        else:
            yield name, value


def _json(data: bytes) -> list[Row]:
    return _json_rows(decode_json(data))


def _ndjson(data: bytes) -> list[Row]:
    return [row for line in data.split(b"\n") if line.strip() for row in _json_rows(decode_json(line))]


def _text(data: bytes) -> list[Row]:
    text = data.decode("utf-8-sig").strip("\r\n")
    value = cell(text.strip())
    return [{RESULT: text if isinstance(value, str) else value}]


def _parquet(data: bytes) -> list[Row]:
    import polars as pl

    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ValueError(str(error)) from error
    return [_flat(row) for row in frame.to_dicts()]


def _csv(data: bytes) -> list[Row]:
    text = data.decode("utf-8-sig")
    head = text.partition("\n")[0]
    delimiter = next((char for char in ",\t;" if char in head), ",")
    lines = [
        line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if line
    ]
    if not lines:
        return []
    header, body = lines[0], lines[1:]
    # R's write.table gives row names a column without a header.
    if body and all(len(line) == len(header) + 1 for line in body):
        header = ["", *header]
    for number, line in enumerate(body, start=2):
        if len(line) != len(header):
            raise ValueError(f"line {number} has {len(line)} cells, but the header has {len(header)}")
    columns = [_column([line[at] for line in body]) for at in range(len(header))]
    names = _distinct(header)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _column(texts: list[str]) -> list[Any]:
    """Return the values of one file's column with one type: all numbers, all true or false, or all text."""
    values = [cell(text) for text in texts]
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float} or kinds == {bool}:
        return values
    return [None if value is None else text for text, value in zip(texts, values, strict=True)]


def _distinct(header: list[str]) -> list[str]:
    names: dict[str, None] = {}
    for name in (name.strip() or UNNAMED for name in header):
        distinct, number = name, 1
        while distinct in names:
            number += 1
            distinct = f"{name}_{number}"
        names[distinct] = None
    return list(names)


def result_format(record_format: str, file: str) -> str:
    """Return the format of a result file: from the study, else from its suffix, else text."""
    suffix = Path(file).suffix.lower().lstrip(".")
    return record_format or (suffix if suffix in _READERS else "text")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


_READERS: dict[str, Callable[[bytes], list[Row]]] = {
    "json": _json,
    "ndjson": _ndjson,
    "jsonl": _ndjson,
    "csv": _csv,
    "parquet": _parquet,
    "text": _text,
}
