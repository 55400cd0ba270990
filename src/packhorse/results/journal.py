"""Reader of journals: positions of records, the records themselves, and the tail of a growing file.

The format is described in docs/reference/files.md, "Journal". A journal is read in two steps: `read_journal` checks every
line and keeps only what the fold needs; `Journal.records` then decodes selected lines.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, compress, islice
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import msgspec
from msgspec import UNSET, Struct

from packhorse.model.errors import RunError

FORMAT = "packhorse-journal"
VERSION = 1
OUTCOMES = ("OK", "FAILED", "TIMEOUT", "MEMORY", "UNFINISHED")
OK = 0

_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}
_T = TypeVar("_T")
# Bytes to check and decode at once: small enough that they and their values stay in the CPU cache.
_BLOCK = 1 << 18
_RECORDS = 1000  # records to decode at once
_HEAD = b'{"crc":"%08x"'  # the beginning of every line


class Header(Struct, frozen=True, kw_only=True):
    """First line of a journal: its writer, and the space and code of its records."""

    format: str
    version: int
    run: str = ""
    wave: int = 0
    element: int = 0
    restart: int = 0
    host: str = ""
    pid: int = 0
    space: str = ""
    prefix: str = ""  # put before a task's index in the name of its folder in artifacts/
    code: str = ""
    environment: str = ""
    started: float = 0.0
    slots: int = 0
    log: str = ""
    pack: str = ""


class Record(Struct, kw_only=True, gc=False):
    """Record of one attempt; `json` is UNSET where the result is in `text`, in a pack, or missing."""

    index: int
    attempt: int = 1
    outcome: str = "OK"
    seed: int | None = None
    begin: float | None = None
    wall: float | None = None
    cpu: float | None = None
    memory: float | None = None
    exit: int | None = None
    signal: int | None = None
    cause: str = ""
    log: tuple[int, int] | None = None
    json: Any = UNSET
    text: str | None = None
    pack: tuple[int, int, int] | None = None
    format: str = ""
    parts: tuple[tuple[str, str, int], ...] = ()  # name, format and length of each file of a result
    slot: int | None = None
    artifacts: Any = None
    start: str = "cold"
    partial: bool | None = None
    raised: dict[str, str] | None = None  # of a call: the exception as a pickle in base64, and its traceback


class _Stopped(Struct, gc=False):
    task: int
    cause: str = ""
    log: tuple[int, int] | None = None
    artifacts: int | None = None
    partial: bool = True


class _Line(Struct, gc=False):
    """Members that distinguish the kinds of lines, and the members of a record that the fold needs."""

    index: int | None = None
    attempt: int = 1
    outcome: str = "OK"
    pack: tuple[int, int, int] | None = None
    header: dict[str, Any] | None = None
    totals: dict[str, Any] | None = None
    note: str | None = None
    stopped: _Stopped | None = None
    copies: str | None = None
    read: list[str] | None = None
    end: str | None = None
    at: float | None = None


line_decoder = msgspec.json.Decoder(_Line)
record_decoder = msgspec.json.Decoder(Record)


class Journal:
    """Checked content of one journal: position and outcome of each record, and all other lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: Header | None = None
        # By record, in few bytes each, since a journal may have millions.
        self.index: array[int] | list[int] = array("q")
        self.outcome = bytearray()
        self.attempt: array[int] | list[int] = array("H")
        self.offset: array[int] | list[int] = array("I")
        self.length = array("I")
        self.notes: list[str] = []
        self.copies = ""  # the private folder of the worker on its host
        self.read: list[str] | None = (
            None  # files of the snapshot that tasks read; None where that was not seen
        )
        self.refused: dict[int, str] = {}  # position -> why the merge could not read the result
        self.stopped: dict[int, Record] = {}  # what tasks left that have no outcome, by index
        self.totals: dict[str, Any] = {}
        self.end = ""
        self.ended: float | None = None  # Unix seconds
        self.bad = self._pack_size = 0

    def __len__(self) -> int:
        return len(self.index)

    @property
    def prefix(self) -> str:
        """The text before a task's index in the name of its folder in artifacts/."""
        return self.header.prefix if self.header else ""

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Sort key of this journal: wave, element, restart, file name."""
        header = self.header
        if header is None:
            return (0, 0, 0, self.path.name)
        return (header.wave, header.element, header.restart, self.path.name)

    @property
    def pack(self) -> Path:
        """Path of the file with the larger results, which may not exist."""
        name = self.header.pack if self.header else ""
        return self.path.with_name(Path(name).name or self.path.stem + ".pack")

    def records(self, rows: Iterable[int] | None = None) -> Iterator[Record]:
        """Yield the records at these positions (all by default); ascending order is fastest."""
        for chosen, block in self.blocks(range(len(self)) if rows is None else rows):
            yield from self.decoded(chosen, block)

    def blocks(self, rows: Iterable[int], size: int = _RECORDS) -> Iterator[tuple[list[int], bytes]]:
        """Yield positions and lines of the records at these positions, `size` at a time."""
        positions = iter(rows)
        if not len(self):
            return
        with self.path.open("rb", buffering=0) as file:
            while chosen := list(islice(positions, size)):
                yield chosen, self._lines(chosen, file.fileno())

    def within(self, size: int, most: int) -> int:
        """Return the number of records that have about `size` bytes together, between one and `most`."""
        return max(1, min(most, size * len(self) // self.offset[-1])) if len(self) else most

    def _lines(self, rows: list[int], file: int) -> bytes:
        # Read, not mapped: the pages of a mapped file would count as our memory.
        offset, length = self.offset, self.length
        first, last = min(rows), max(rows)
        start, stop = offset[first], offset[last] + length[last]
        wanted = sum(map(length.__getitem__, rows))
        if 2 * wanted < stop - start:
            return b"".join([os.pread(file, length[row], offset[row]) for row in rows])
        data = os.pread(file, stop - start, start)
        if wanted == stop - start and rows == list(range(first, last + 1)):
            return data  # there are no other lines between them
        return b"".join([data[offset[row] - start : offset[row] - start + length[row]] for row in rows])

    def decoded(self, rows: Sequence[int], block: bytes) -> list[Record]:
        """Decode the lines of the records at these positions."""
        records = _decode_all(block, len(rows), record_decoder)
        found = [record or self._unreadable(row) for row, record in zip(rows, records, strict=True)]
        for row, record in zip(rows, found, strict=True) if self.refused else ():
            if row in self.refused:
                record.outcome, record.cause = "FAILED", self.refused[row]
        return found

    def refuse(self, causes: Mapping[tuple[int, int], str]) -> None:
        """Count records as failed, given as (index, attempt) -> cause."""
        for row, place in enumerate(zip(self.index, self.attempt, strict=True)):
            if place in causes and self.outcome[row] == OK:
                self.outcome[row] = _CODES["FAILED"]
                self.refused[row] = causes[place]

    def _unreadable(self, row: int) -> Record:
        """Return a record with only the outcome, for a line that this version cannot decode otherwise."""
        return Record(index=self.index[row], outcome=OUTCOMES[self.outcome[row]], format="unknown", text="")

    def add(self, block: bytes, offset: int) -> None:
        """Check and add a block of complete lines that begins at `offset` of the file."""
        lines = block.split(b"\n")
        lines.pop()  # empty, since the block ends with a newline
        lengths = [len(line) + 1 for line in lines]
        starts = list(accumulate(lengths, initial=offset))
        good = _good(lines)
        if not all(good):
            self.bad += good.count(False)
            lengths, starts = list(compress(lengths, good)), list(compress(starts, good))
            lines = list(compress(lines, good))
            block = b"".join([line + b"\n" for line in lines])
        decoded = _decode_all(block, len(lines), line_decoder)
        self._add_lines(decoded, starts, lengths)

    def _add_lines(self, lines: Sequence[_Line | None], starts: list[int], lengths: list[int]) -> None:
        """Add the positions of records, and all other lines; by columns, since a journal may have millions of lines."""
        first = 0
        while self.header is None and first < len(lines):
            self._add_other(lines[first])
            first += 1
        is_record = [
            line is not None and line.index is not None and (line.pack is None or self._packed(line.pack))
            for line in lines
        ]
        is_record[:first] = [False] * first
        for line, record in zip(lines[first:], is_record[first:], strict=True):
            if not record:
                self._add_other(line)
        records = [line for line, record in zip(lines, is_record, strict=True) if line and record]
        self.index = _extended(self.index, [line.index for line in records if line.index is not None])
        self.outcome += bytes([_CODES.get(line.outcome, _CODES["FAILED"]) for line in records])
        self.attempt = _extended(self.attempt, [line.attempt for line in records])
        self.offset = _extended(self.offset, list(compress(starts, is_record)))
        self.length.extend(compress(lengths, is_record))

    def _add_other(self, line: _Line | None) -> None:
        """Add a line that is not a valid record."""
        if line is None or line.index is not None:
            self.bad += 1
        elif self.header is None:
            self.header = header_of(line.header, self.path)
            self.bad += self.header is None
        elif line.totals is not None:
            self.totals = line.totals
        elif line.note is not None:
            self.notes.append(line.note)
        elif line.end is not None:
            self.end, self.ended = line.end, line.at
        else:
            self._add_event(line)

    def _add_event(self, line: _Line) -> None:
        """Add what a worker tells of itself and of the tasks that it could not end."""
        if line.stopped is not None:
            about = {**msgspec.structs.asdict(line.stopped), "index": line.stopped.task, "outcome": "STOPPED"}
            self.stopped[line.stopped.task] = msgspec.convert(about, Record)
        self.copies = line.copies or self.copies
        self.read = self.read if line.read is None else line.read

    def _packed(self, place: tuple[int, int, int]) -> bool:
        """Return whether the pack is long enough; after a crash of the machine it may lack its tail."""
        stop = place[0] + place[1]
        if stop > self._pack_size:
            self._pack_size = self.pack.stat().st_size if self.pack.exists() else 0
        return min(place) >= 0 and stop <= self._pack_size


def _extended(numbers: array[int] | list[int], more: list[int]) -> array[int] | list[int]:
    """Append integers; return the array, or one of larger numbers where they need it, or a list."""
    if isinstance(numbers, array):
        try:
            numbers.extend(array(numbers.typecode, more))
        except OverflowError:
            if numbers.typecode == "q":
                return numbers.tolist() + more
            return _extended(array("q", numbers), more)
        return numbers
    return numbers + more


def read_journal(path: Path) -> Journal:
    """Check every line of a journal and return it with the positions of its records.

    A last line without a newline is incomplete, which is normal; `bad` counts all other invalid lines. Lines before
    a valid header are ignored, since records have no meaning without their space.
    Raise RunError for a journal of a newer version.
    """
    journal = Journal(path)
    offset = 0
    rest = b""
    with path.open("rb") as file:
        # The block grows with the incomplete line, so that a line of any length is read in linear time.
        while block := file.read(max(_BLOCK, len(rest))):
            block = rest + block
            stop = block.rfind(b"\n") + 1
            journal.add(block[:stop], offset)
            rest = block[stop:]
            offset += stop
    return journal


def read_journals(directory: Path) -> list[Journal]:
    """Return all journals of a run directory, sorted by `Journal.order`."""
    paths = (directory / "journal").glob("*.ndjson")
    return sorted((read_journal(path) for path in paths), key=lambda journal: journal.order)


def checked(line: bytes) -> bool:
    """Return whether the checksum of a complete line (with its newline) is correct."""
    return line[:17] == _HEAD % crc32(line[17:-1]) and line[-1:] == b"\n"


def _good(lines: list[bytes]) -> list[bool]:
    """Return for each line (without its newline) whether its checksum is correct."""
    checks = [crc32(line[17:]) for line in lines]
    prefixes = [line[:17] for line in lines]
    if b"".join(prefixes) == _HEAD * len(lines) % tuple(checks):  # no prefix is longer, so none is shorter
        return [True] * len(lines)
    return [head == _HEAD % check for head, check in zip(prefixes, checks, strict=True)]


def _decode_all(block: bytes, count: int, decoder: msgspec.json.Decoder[_T]) -> Sequence[_T | None]:
    """Decode `count` lines, with None for one that cannot be decoded; in one call where all lines are regular."""
    values: Sequence[_T | None]
    try:
        values = decoder.decode_lines(block)
    except (ValueError, RecursionError):
        values = []
    # A line with two JSON values would shift all values after it.
    if len(values) == count:
        return values
    return [decode_line(line, decoder) for line in block.split(b"\n")[:count]]


def decode_line(line: bytes, decoder: msgspec.json.Decoder[_T]) -> _T | None:
    """Decode a line strictly, else as Python's json does (NaN, Infinity, numbers beyond doubles), also bytes not UTF-8."""
    try:
        return decoder.decode(line)
    except (ValueError, RecursionError):
        pass
    try:
        return msgspec.convert(json.loads(line.decode("utf-8", "surrogateescape")), decoder.type)
    except (ValueError, RecursionError):
        return None


def header_of(members: dict[str, Any] | None, path: Path) -> Header | None:
    """Return the header of a journal; None if it is not one. Raise RunError for a newer version."""
    if members is None or members.get("format") != FORMAT:
        return None
    version = members.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise RunError(
            f"{path}: the journal has version {version}; this Packhorse reads versions up to {VERSION}",
            "update Packhorse: pip install --upgrade packhorse",
        )
    try:
        return msgspec.convert(members, Header)
    except msgspec.ValidationError:
        return None
