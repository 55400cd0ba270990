"""The end of a journal that may still grow, and its failed attempts, read without the rest of the file."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.results.journal import (
    Header,
    Record,
    checked,
    decode_line,
    header_of,
    line_decoder,
    record_decoder,
)

TAIL_WINDOW = 1 << 16


class Tail(Struct, frozen=True):
    """The tail of a journal: last totals, the records after them, and the reason of its end ("" without an end)."""

    header: Header | None
    totals: dict[str, Any]
    records: list[Record]
    end: str


def read_tail(path: Path) -> Tail:
    """Read the end of a journal, back to its last totals, without reading the rest of the file."""
    with path.open("rb") as file:
        first = file.readline(TAIL_WINDOW)
        line = decode_line(first, line_decoder) if checked(first) else None
        header = header_of(line.header, path) if line else None
        size = os.fstat(file.fileno()).st_size
        window = TAIL_WINDOW
        while header is not None:
            start = max(len(first), size - window)
            file.seek(start)
            lines = file.read(size - start).split(b"\n")
            # Text after the last newline is incomplete, and so is text before the first one.
            tail = _after_totals(lines[start > len(first) : -1])
            if tail.totals or start <= len(first):
                return Tail(header, tail.totals, tail.records, tail.end)
            window *= 4
    return Tail(None, {}, [], "")


def _after_totals(lines: list[bytes]) -> Tail:
    records: list[Record] = []
    end = ""
    for text in reversed(lines):
        complete = text + b"\n"
        line = decode_line(complete, line_decoder) if checked(complete) else None
        if line is None:
            continue
        if line.totals is not None:
            return Tail(None, line.totals, records[::-1], end)
        end = line.end or end
        record = decode_line(complete, record_decoder) if line.index is not None else None
        if record is not None:
            records.append(record)
    return Tail(None, {}, records[::-1], end)


def failed_attempts(path: Path, limit: int = 10_000) -> Iterator[Record]:
    """Yield attempts that are not OK, without decoding the others; a later attempt may have succeeded.

    This shows the status of a million tasks in a fraction of a second; only the fold knows final outcomes.
    """
    if not path.stat().st_size:
        return
    mark = b'"outcome":"'
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(mark)
        while at >= 0 and limit:
            stop = data.find(b"\n", at)
            if stop < 0:
                return
            line = data[data.rfind(b"\n", 0, at) + 1 : stop + 1]
            record = decode_line(line, record_decoder) if checked(line) else None
            if record is not None and record.outcome != "OK":
                limit -= 1
                yield record
            at = data.find(mark, stop)
