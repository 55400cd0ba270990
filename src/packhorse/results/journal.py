"""Reading journals: which record stands where, the records themselves, and the end of a growing file.

The format stands in docs/design.md, "Journal". A journal is read in two steps: `read_journal` checks every
line and keeps only what the fold needs; `Journal.records` then decodes the lines that somebody wants.
"""

from __future__ import annotations

import json
import mmap
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
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
TAIL_WINDOW = 1 << 16

_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}
_T = TypeVar("_T")
_BLOCK = 1 << 18  # bytes that are checked and decoded at once: they and what they become stay in the cache
_RECORDS = 1000  # records that are decoded at once
_HEAD = b'{"crc":"%08x"'  # how every line begins


class Header(Struct, frozen=True, kw_only=True):
    """Who wrote a journal, and for which space and code."""

    format: str
    version: int
    run: str = ""
    wave: int = 0
    element: int = 0
    restart: int = 0
    host: str = ""
    pid: int = 0
    space: str = ""
    code: str = ""
    environment: str = ""
    started: float = 0.0
    slots: int = 0
    log: str = ""
    pack: str = ""


class Record(Struct, kw_only=True, gc=False):
    """What one attempt left; `json` is UNSET where the result stands in `text`, in a pack, or nowhere."""

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
    slot: int | None = None
    artifacts: Any = None


class _Line(Struct, gc=False):
    """The members that tell the kinds of lines apart, and what the fold needs of a record."""

    index: int | None = None
    attempt: int = 1
    outcome: str = "OK"
    pack: tuple[int, int, int] | None = None
    header: dict[str, Any] | None = None
    totals: dict[str, Any] | None = None
    note: str | None = None
    end: str | None = None
    at: float | None = None


_line_decoder = msgspec.json.Decoder(_Line)
_record_decoder = msgspec.json.Decoder(Record)


class Journal:
    """One journal's checked content: a place and an outcome for each record, and all other lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: Header | None = None
        self.index: list[int] = []
        self.outcome = bytearray()
        self.attempt: list[int] = []
        self.offset = array("Q")
        self.length = array("Q")
        self.notes: list[str] = []
        self.totals: dict[str, Any] = {}
        self.end = ""
        self.ended: float | None = None  # Unix seconds
        self.bad = 0
        self._pack_size = 0

    def __len__(self) -> int:
        return len(self.index)

    @property
    def order(self) -> tuple[int, int, int, str]:
        """The place of this journal among others: wave, element, restart, then the name."""
        header = self.header
        if header is None:
            return (0, 0, 0, self.path.name)
        return (header.wave, header.element, header.restart, self.path.name)

    @property
    def pack(self) -> Path:
        """The file with the larger results; it may not exist."""
        name = self.header.pack if self.header else ""
        return self.path.with_name(Path(name).name or self.path.stem + ".pack")

    def records(self, rows: Iterable[int] | None = None) -> Iterator[Record]:
        """Decode the records at these positions (all by default); quickest in ascending order."""
        for chosen, block in self.blocks(range(len(self)) if rows is None else rows):
            yield from self.decoded(chosen, block)

    def blocks(self, rows: Iterable[int], size: int = _RECORDS) -> Iterator[tuple[list[int], bytes]]:
        """Give the lines of the records at these positions, `size` at a time, beside their positions."""
        wanted = iter(rows)
        if not len(self):
            return
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            while chosen := list(islice(wanted, size)):
                yield chosen, self._lines(chosen, data)

    def within(self, size: int, most: int) -> int:
        """Return how many records have about `size` bytes together, at least one and at most so many."""
        return max(1, min(most, size * len(self) // self.offset[-1])) if len(self) else most

    def _lines(self, rows: list[int], data: mmap.mmap) -> bytes:
        offset, length = self.offset, self.length
        first, last = rows[0], rows[-1]
        start, stop = offset[first], offset[last] + length[last]
        if rows == list(range(first, last + 1)) and sum(length[first : last + 1]) == stop - start:
            return data[start:stop]  # nothing else stands between them
        return b"".join([data[offset[row] : offset[row] + length[row]] for row in rows])

    def decoded(self, rows: Sequence[int], block: bytes) -> list[Record]:
        """Decode the lines of the records at these positions."""
        found = _decode_all(block, len(rows), _record_decoder)
        return [record or self._unreadable(row) for row, record in zip(rows, found, strict=True)]

    def _unreadable(self, row: int) -> Record:
        """Return a record that keeps its word, although this version cannot read the rest of its line."""
        return Record(index=self.index[row], outcome=OUTCOMES[self.outcome[row]], format="unknown", text="")

    def add(self, block: bytes, offset: int) -> None:
        """Take in whole lines that begin at an offset of the file."""
        lines = block.split(b"\n")
        lines.pop()  # nothing, as the block ends with a newline
        lengths = [len(line) + 1 for line in lines]
        starts = list(accumulate(lengths, initial=offset))
        good = _good(lines)
        if not all(good):
            self.bad += good.count(False)
            lengths, starts = list(compress(lengths, good)), list(compress(starts, good))
            lines = list(compress(lines, good))
            block = b"".join([line + b"\n" for line in lines])
        found = _decode_all(block, len(lines), _line_decoder)
        self._take(found, starts, lengths)

    def _take(self, found: Sequence[_Line | None], starts: list[int], lengths: list[int]) -> None:
        """Note where records stand and hear the rest; whole columns, as this sees millions of lines."""
        heard = 0
        while self.header is None and heard < len(found):
            self._hear(found[heard])
            heard += 1
        kept = [
            said is not None and said.index is not None and (said.pack is None or self._packed(said.pack))
            for said in found
        ]
        kept[:heard] = [False] * heard
        for said, record in zip(found[heard:], kept[heard:], strict=True):
            if not record:
                self._hear(said)
        records = [said for said, record in zip(found, kept, strict=True) if said and record]
        self.index += [said.index for said in records if said.index is not None]
        self.outcome += bytes([_CODES.get(said.outcome, _CODES["FAILED"]) for said in records])
        self.attempt += [said.attempt for said in records]
        self.offset.extend(compress(starts, kept))
        self.length.extend(compress(lengths, kept))

    def _hear(self, said: _Line | None) -> None:
        """Take in a line that is no record, or none that counts."""
        if said is None or said.index is not None:
            self.bad += 1
        elif self.header is None:
            self.header = _header(said.header, self.path)
            self.bad += self.header is None
        elif said.totals is not None:
            self.totals = said.totals
        elif said.note is not None:
            self.notes.append(said.note)
        elif said.end is not None:
            self.end, self.ended = said.end, said.at

    def _packed(self, place: tuple[int, int, int]) -> bool:
        """Say whether the pack is long enough; after a crash of the machine it may have lost its tail."""
        stop = place[0] + place[1]
        if stop > self._pack_size:
            self._pack_size = self.pack.stat().st_size if self.pack.exists() else 0
        return min(place) >= 0 and stop <= self._pack_size


class Tail(Struct, frozen=True):
    """The end of a journal: its last totals, the records after them, and how it ended ("" if it did not)."""

    header: Header | None
    totals: dict[str, Any]
    records: list[Record]
    end: str


def read_journal(path: Path) -> Journal:
    """Check every line of a journal and note where its records stand.

    A last line without its newline is a torn tail, which is normal; any other line that fails is counted
    in `bad`. Nothing is taken before a good header, since records mean nothing without their space.
    Raises RunError for a journal of a newer version.
    """
    journal = Journal(path)
    offset = 0
    rest = b""
    with path.open("rb") as file:
        # What has no newline yet doubles, so that a line of any length is read in linear time.
        while block := file.read(max(_BLOCK, len(rest))):
            block = rest + block
            stop = block.rfind(b"\n") + 1
            journal.add(block[:stop], offset)
            rest = block[stop:]
            offset += stop
    return journal


def read_journals(directory: Path) -> list[Journal]:
    """Read all journals of a run directory, in their order."""
    return sorted(
        (read_journal(path) for path in journal_paths(directory)), key=lambda journal: journal.order
    )


def journal_paths(directory: Path) -> list[Path]:
    """List the journals of a run directory."""
    return sorted((directory / "journal").glob("*.ndjson"))


def read_tail(path: Path) -> Tail:
    """Read the end of a journal, back to its last totals; the rest of the file is not touched."""
    with path.open("rb") as file:
        first = file.readline(TAIL_WINDOW)
        said = decode_line(first, _line_decoder) if _checked(first) else None
        header = _header(said.header, path) if said else None
        size = os.fstat(file.fileno()).st_size
        window = TAIL_WINDOW
        while header is not None:
            start = max(len(first), size - window)
            file.seek(start)
            lines = file.read(size - start).split(b"\n")
            # Whatever follows the last newline is torn; what precedes the first is half a line.
            found = _after_totals(lines[start > len(first) : -1])
            if found.totals or start <= len(first):
                return Tail(header, found.totals, found.records, found.end)
            window *= 4
    return Tail(None, {}, [], "")


def _after_totals(lines: list[bytes]) -> Tail:
    records: list[Record] = []
    end = ""
    for line in reversed(lines):
        whole = line + b"\n"
        said = decode_line(whole, _line_decoder) if _checked(whole) else None
        if said is None:
            continue
        if said.totals is not None:
            return Tail(None, said.totals, records[::-1], end)
        end = said.end or end
        record = decode_line(whole, _record_decoder) if said.index is not None else None
        if record is not None:
            records.append(record)
    return Tail(None, {}, records[::-1], end)


def failed_attempts(path: Path, limit: int = 10_000) -> Iterator[Record]:
    """Find attempts that are not OK without decoding the others; a later attempt may have succeeded.

    This serves a status of a million tasks in a fraction of a second; the word on a task is the fold's.
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
            record = decode_line(line, _record_decoder) if _checked(line) else None
            if record is not None and record.outcome != "OK":
                limit -= 1
                yield record
            at = data.find(mark, stop)


def _checked(line: bytes) -> bool:
    """Say whether a whole line (with its newline) is what its writer meant."""
    return line[:17] == _HEAD % crc32(line[17:-1]) and line[-1:] == b"\n"


def _good(lines: list[bytes]) -> list[bool]:
    """Say of each line (without its newline) whether it is what its writer meant."""
    checks = [crc32(line[17:]) for line in lines]
    heads = [line[:17] for line in lines]
    if b"".join(heads) == _HEAD * len(lines) % tuple(checks):  # no head is longer, so none is shorter
        return [True] * len(lines)
    return [head == _HEAD % check for head, check in zip(heads, checks, strict=True)]


def _decode_all(block: bytes, count: int, decoder: msgspec.json.Decoder[_T]) -> Sequence[_T | None]:
    """Decode so many lines, None where one cannot be; all at once where nothing is unusual."""
    found: Sequence[_T | None]
    try:
        found = decoder.decode_lines(block)
    except (ValueError, RecursionError):
        found = []
    # A line of two JSON values would shift all after it.
    return (
        found if len(found) == count else [decode_line(line, decoder) for line in block.split(b"\n")[:count]]
    )


def decode_line(line: bytes, decoder: msgspec.json.Decoder[_T]) -> _T | None:
    """Decode strictly, else as Python does: bare NaN and Infinity, numbers beyond doubles, bytes not UTF-8."""
    try:
        return decoder.decode(line)
    except (ValueError, RecursionError):
        pass
    try:
        return msgspec.convert(json.loads(line.decode("utf-8", "surrogateescape")), decoder.type)
    except (ValueError, RecursionError):
        return None


def _header(said: dict[str, Any] | None, path: Path) -> Header | None:
    if said is None or said.get("format") != FORMAT:
        return None
    version = said.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise RunError(
            f"{path}: this journal has version {version}, and this Packhorse reads versions up to {VERSION}.",
            "Install the newer Packhorse that wrote it: `pip install --upgrade packhorse`.",
        )
    try:
        return msgspec.convert(said, Header)
    except msgspec.ValidationError:
        return None
