"""Rows of a record's result: a dict for each row, in the order that the script wrote.

Numbers keep every bit. JSON may contain NaN and Infinity, as Python and R write them. The readers of each format are in
`formats`; what the worker could read, it has accepted already (`worker.results`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, BinaryIO, Self
from zlib import crc32

import msgspec
from msgspec import UNSET, Struct

from packhorse.model.study import Result
from packhorse.results.formats.arrays import read_hdf5, read_mat, read_netcdf, read_npy, read_npz
from packhorse.results.formats.frames import read_parquet, read_xlsx
from packhorse.results.formats.rows import SHORT, File, MissingTexts, Row, UnreadableError, array_members
from packhorse.results.formats.text import (
    delimited,
    json_rows,
    read_json,
    read_ndjson,
    read_text,
    read_txt,
    read_yaml,
)
from packhorse.results.journal import Journal, Record
from packhorse.worker.results.judgement import expand, parse_json
from packhorse.worker.results.refusal import NoResult
from packhorse.worker.results.suffixes import suffix_format

R_FORMATS = ("rds", "rdata")
# Reads many R files at once, since R takes longer to start than to read one: (content, format) -> JSON, or the reason.
ReadR = Callable[[Sequence[tuple[bytes, str]]], list[bytes | str]]
ReadPickle = Callable[[bytes], bytes]  # content -> JSON
Part = tuple[str, str, bytes]  # name, format and content of a file


class Readers(Struct, frozen=True):
    """Readers that start programs or run code, which only some callers have."""

    r: ReadR | None = None
    pickle: ReadPickle | None = None


class Payloads:
    """Reader of the results of one journal's records. A context manager, since it may keep the pack open.

    Without a journal it reads records that hold their results.
    """

    def __init__(
        self,
        journal: Journal | None,
        default_format: str = "text",
        result: Result | None = None,
        readers: Readers | None = None,
        short: int = SHORT,
    ) -> None:
        self.journal = journal
        self._short = short  # elements of a vector that still become columns
        self.default_format = default_format
        self.setting: dict[str, Any] = {} if result is None else msgspec.to_builtins(result)
        self.missing_texts: MissingTexts = {}
        self._readers = readers or Readers()
        self._of_r: dict[bytes, bytes | str] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def rows(self, record: Record) -> list[Row] | None:
        """Return the rows of one record, or None where it has no result.

        Raise UnreadableError where the result cannot be read.
        """
        value = record.json
        if type(value) is dict and "" not in value and dict not in map(type, value.values()):
            return [value]  # by far the most frequent case
        if value is not UNSET:
            try:
                return json_rows(value)
            except NoResult as error:
                raise UnreadableError(str(error)) from None
        parts = self.parts(record)
        if not parts:
            return None
        return _joined([(name, self._read(form, data)) for name, form, data in parts])

    def prepare(self, records: Iterable[Record]) -> None:
        """Read the R files of many records at once."""
        found: dict[bytes, str] = {}
        for record in records:
            if record.format in R_FORMATS or record.parts or self.default_format in R_FORMATS:
                try:
                    found.update({data: form for _, form, data in self.parts(record) if form in R_FORMATS})
                except UnreadableError:
                    continue
        if found and self._readers.r is not None:
            self._of_r = dict(zip(found, self._readers.r(list(found.items())), strict=True))

    def _read(self, form: str, data: bytes) -> list[Row]:
        compressed = form.endswith(".gz")
        try:
            return self._reader(form.removesuffix(".gz"))(
                File(expand(data) if compressed else data, self.setting, self.missing_texts, self._short)
            )
        except UnicodeDecodeError as error:
            raise UnreadableError(f"the {form} result is not UTF-8 at byte {error.start}") from error
        except UnreadableError:
            raise
        except (
            Exception
        ) as error:  # what libraries raise for damaged files is any type, and costs one task only
            raise UnreadableError(f"the {form} result cannot be read: {_first_line(error)}") from error

    def _reader(self, form: str) -> Callable[[File], list[Row]]:
        """Return the reader of a format; raise UnreadableError where there is none."""
        if form in R_FORMATS:
            return self._rows_of_r
        read_pickle = self._readers.pickle
        if form == "pickle" and read_pickle is not None:
            return lambda file: json_rows(parse_json(read_pickle(file.data)))
        if form not in _READERS:
            raise UnreadableError(f"a result in the format {form!r} cannot be read")
        return _READERS[form]

    def _rows_of_r(self, file: File) -> list[Row]:
        found = self._of_r.get(file.data, "only the merge reads R files")
        if isinstance(found, bytes):
            return [_with_arrays(row, file.short) for row in json_rows(parse_json(found))]
        raise ValueError(found)

    def parts(self, record: Record) -> list[Part]:
        """Return the files of a result, without any where the record has none. Raise UnreadableError."""
        data = self.data(record)
        if data is None:
            return []
        if not record.parts:
            return [("", record.format or self.default_format, data)]
        found, at = [], 0
        for name, form, length in record.parts:
            found.append((name, form, data[at : at + length]))
            at += length
        return found

    def data(self, record: Record) -> bytes | None:
        """Return the bytes of a result, or None where the record has none. Raise UnreadableError."""
        if record.text is not None:
            return record.text.encode("utf-8", "surrogateescape")
        if record.pack is None or self.journal is None:
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


def _joined(files: list[tuple[str, list[Row]]]) -> list[Row]:
    """Return the rows of several files of a task: row by row, or the one row of a file beside each of another's.

    A name that an earlier file has becomes FILE.NAME, without the suffix of the file.
    """
    (_, rows), *others = files
    for file, found in others:
        if 1 not in (len(rows), len(found)) and len(rows) != len(found):
            raise UnreadableError(
                f"{file} has {len(found)} rows, and the files before it {len(rows)}; write as many, or one"
            )
        more = found * len(rows) if len(found) == 1 else found
        rows = rows * len(found) if len(rows) == 1 else rows
        taken = {name for row in rows for name in row}
        prefix = PurePath(file).stem + "."
        rows = [
            row | {(prefix + name if name in taken else name): value for name, value in second.items()}
            for row, second in zip(rows, more, strict=True)
        ]
    return rows


def _with_arrays(row: Row, short: int) -> Row:
    """Return a row of R with its long or nested lists of numbers as arrays."""
    if list not in map(type, row.values()):
        return row
    import numpy as np

    found: Row = {}
    for name, value in row.items():
        try:
            values = np.asarray(value, dtype=float) if type(value) is list else None
        except (TypeError, ValueError):  # texts, or rows of different lengths
            values = None
        found |= {name: value} if values is None else array_members(name, values, short=short)
    return found


def json_text(value: Any) -> str:
    """Return a value as compact JSON, with all digits of floats."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)


def plain(value: Any) -> Any:
    """Return a value that JSON lacks as a text or number."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value)


def result_format(record_format: str, file: str) -> str:
    """Return the format of a result file: from the study, else from its suffix, else text."""
    return record_format or suffix_format(str(Path(file))) or "text"


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


_READERS: dict[str, Callable[[File], list[Row]]] = {
    "json": read_json,
    "ndjson": read_ndjson,
    "jsonl": read_ndjson,
    "csv": delimited("csv"),
    "tsv": delimited("tsv"),
    "dat": delimited("dat"),
    "txt": read_txt,
    "text": read_text,
    "yaml": read_yaml,
    "parquet": read_parquet,
    "xlsx": read_xlsx,
    "npy": read_npy,
    "npz": read_npz,
    "hdf5": read_hdf5,
    "netcdf": read_netcdf,
    "mat": read_mat,
}
