"""The final outcome of each task of a wave, folded from journals as `packhorse.results` does, in integer arithmetic.

OK beats everything, otherwise the highest (wave, attempt) wins; a retry overrules the outcomes that its tasks had in
earlier waves, except an OK with a readable result. A task needs a few bytes of memory, whatever its records hold.
"""

import binascii
import bisect
import json
import os
from array import array

from packhorse.worker.ranges import joined, to_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Union

    from packhorse.worker.ranges import AnyRanges, Ranges

    # Index, code of the outcome, attempt, and the whole record if it was decoded.
    Record = tuple[int, int, int, Union[dict[str, Any], None]]

MISSING = "MISSING"
# The outcome of a task is stored as a byte, its position in this list.
OUTCOMES = (MISSING, "OK", "FAILED", "TIMEOUT", "MEMORY", "UNFINISHED")
CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}
OK, FAILED, MEMORY, UNFINISHED = CODES["OK"], CODES["FAILED"], CODES["MEMORY"], CODES["UNFINISHED"]
FORMAT, VERSION = "packhorse-journal", 1
INDEX = b'"index":'
ENDS = (b",", b"}")
HIGHEST = (1 << 32) - 1  # the highest attempt that is stored


class TooNew(Exception):
    """A journal was written by a newer version, whose records may have another meaning."""


class Journal(object):
    """One journal file: its header, how its worker ended, and its records as they are read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = os.path.basename(path)
        self.header: "dict[str, Any] | None" = None
        self.end: "str | None" = None
        self.at: "float | None" = None  # Unix time of the end
        self.notes: "list[str]" = []
        self.totals: "dict[str, Any]" = {}
        self.pack_size = 0
        for _ in self._lines():
            if self.header is not None:
                break

    def order(self) -> "tuple[Any, ...]":
        """Return the sort key of this journal among others."""
        if self.header is None:
            return (0, 0, 0, self.name)
        return tuple(self.header.get(part, 0) for part in ("wave", "element", "restart")) + (self.name,)

    def records(self) -> "Iterator[Record]":
        """Yield each record whose checksum is right."""
        if self.header is None:
            return
        self.header = None  # records before it do not count, and reading finds it again
        for line in self._lines():
            record = self._record(line)
            if record is not None:
                yield record

    def _lines(self) -> "Iterator[bytes]":
        """Yield the lines whose checksum is right, and skip torn or damaged ones; read the header on the way."""
        with open(self.path, "rb") as stream:
            for line in stream:
                crc = b'{"crc":"%08x"' % (binascii.crc32(line[17:-1]) & 0xFFFFFFFF)
                if line[:17] == crc and line[-1:] == b"\n":
                    if self.header is None:
                        self._read_header(line)
                    yield line

    def _read_header(self, line: bytes) -> None:
        header = decoded(line).get("header")
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            return
        version = header.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise TooNew(
                "%s has version %s of the format; this worker reads up to %d" % (self.name, version, VERSION)
            )
        self.header = header

    def _record(self, line: bytes) -> "Record | None":
        """Return a line's record, or None; the usual one, a short OK, is not decoded."""
        if self.header is None:
            return None
        if line[18:26] == INDEX and not (b'"outcome"' in line or b'"attempt"' in line or b'"pack"' in line):
            stop = 26
            while line[stop : stop + 1].isdigit():
                stop += 1
            if line[stop : stop + 1] in ENDS and stop > 26:
                return int(line[26:stop]), OK, 1, None
        record = decoded(line)
        if record.get("index") is None:
            self._read_event(record)
            return None
        index, attempt, outcome = record["index"], record.get("attempt", 1), record.get("outcome", "OK")
        if not (type(index) is int and type(attempt) is int and isinstance(outcome, str)):
            return None
        if not self._is_packed(record.get("pack")):
            return None
        return index, CODES.get(outcome, FAILED), attempt, record

    def _read_event(self, event: "dict[str, Any]") -> None:
        if event.get("totals") is not None:
            self.totals = event["totals"]
        elif event.get("note") is not None:
            self.notes.append(event["note"])
        elif event.get("end") is not None:
            self.end, self.at = event["end"], event.get("at")

    def _is_packed(self, place: "Any") -> bool:
        """Return whether the pack has the whole result; a crash of the machine may have cut it short."""
        if place is None:
            return True
        if not (isinstance(place, list) and [type(part) for part in place] == [int] * 3):
            return False
        stop = place[0] + place[1]
        if stop > self.pack_size:
            assert self.header is not None
            path = os.path.join(os.path.dirname(self.path), os.path.basename(self.header.get("pack") or ""))
            self.pack_size = os.stat(path).st_size if os.path.isfile(path) else 0
        return bool(min(place) >= 0 and stop <= self.pack_size)


def decoded(line: bytes) -> "dict[str, Any]":
    """Return the JSON object of a line, empty if the line holds none."""
    try:
        value = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def indices_in(path: str) -> "Iterator[int]":
    """Yield the indices of a journal's records, whatever their outcomes."""
    return (index for index, _, _, _ in Journal(path).records())


def journal_paths(folder: str, first: int = 1) -> "list[str]":
    """Return the journals of the waves from `first` on; a network file system shows new files to a new listing."""
    paths = []
    for name in os.listdir(folder):
        wave = name.split("-", 1)[0]
        if name.endswith(".ndjson") and wave.isdigit() and int(wave) >= first:
            paths.append(os.path.join(folder, name))
    return sorted(paths)


class Overruled(object):
    """Decides whether a later wave's retry overrules a record; an OK only if its result was unreadable."""

    def __init__(self, plans: "Iterable[dict[str, Any]]") -> None:
        self.all: "list[tuple[int, list[int], list[int]]]" = []
        self.unreadable: "list[tuple[int, list[int], list[int]]]" = []
        for plan in plans:
            if plan["kind"] == "retry":
                self._add(self.all, plan["wave"], planned(plan))
                self._add(self.unreadable, plan["wave"], joined(plan.get("unreadable", [])))

    def _add(self, plans: "list[tuple[int, list[int], list[int]]]", wave: int, ranges: "Ranges") -> None:
        if ranges:
            plans.append((wave, [a for a, _ in ranges], [b for _, b in ranges]))

    def __call__(self, code: int, index: int, wave: int) -> bool:
        """Return whether a record of wave `wave` no longer counts."""
        for later, starts, stops in self.unreadable if code == OK else self.all:
            at = bisect.bisect_right(starts, index) - 1
            if later > wave and at >= 0 and index < stops[at]:
                return True
        return False


def planned(plan: "dict[str, Any]") -> "Ranges":
    """Return all tasks of a plan as sorted ranges."""
    return joined(list(plan["ranges"]) + [[i, i + 1] for i in plan["probe"]])


class Outcomes(object):
    """The final outcome of each task of some ranges, and the journal that has it."""

    def __init__(self, ranges: "AnyRanges") -> None:
        self.ranges = joined(ranges)
        self.starts = [a for a, _ in self.ranges]
        self.offsets = [0]
        for a, b in self.ranges:
            self.offsets.append(self.offsets[-1] + b - a)
        size = self.offsets[-1]
        self.codes = bytearray(size)
        self.rank = array("Q", bytes(8 * size))  # (wave, attempt) of an outcome that is not OK
        self.holder = array("I", bytes(4 * size))  # the number of the journal that has such an outcome
        self.failures = bytearray(size)  # workers on which a task failed, up to 255
        self.journals: "list[Journal]" = []
        self.too_little = 0.0  # KiB: the most memory with which a task ran out of it
        self.unfinished: "dict[int, tuple[Journal, dict[str, Any]]]" = {}  # index -> journal and record of UNFINISHED

    def position(self, index: int) -> "int | None":
        """Return the position of a task in the arrays, or None for a task outside the ranges."""
        at = bisect.bisect_right(self.starts, index) - 1
        if at < 0 or index >= self.ranges[at][1]:
            return None
        return self.offsets[at] + index - self.starts[at]

    def fold(self, journal: Journal, overruled: Overruled) -> "dict[str, int]":
        """Fold the records of a journal in; journals come in their order. Return its number of records by outcome."""
        assert journal.header is not None
        number = len(self.journals)
        self.journals.append(journal)
        counts = [0] * len(OUTCOMES)
        wave = journal.header.get("wave", 0)
        retried = bool(overruled.all or overruled.unreadable)
        for index, code, attempt, record in journal.records():
            counts[code] += 1
            at = self.position(index)
            if at is None:
                continue
            if code == FAILED and self.failures[at] < 255:
                self.failures[at] += 1
            if retried and overruled(code, index, wave):
                continue
            if code == OK:
                self.codes[at] = OK
                self.unfinished.pop(index, None)
            elif self.codes[at] != OK:
                rank = (wave << 32) + min(max(attempt, 0), HIGHEST)
                if rank >= self.rank[at]:
                    self.codes[at], self.rank[at], self.holder[at] = code, rank, number
                    self._note(index, code, journal, record)
        return dict(zip(OUTCOMES, counts))

    def _note(self, index: int, code: int, journal: Journal, record: "dict[str, Any] | None") -> None:
        memory = record.get("memory") if code == MEMORY and record is not None else None
        if isinstance(memory, (int, float)):
            self.too_little = max(self.too_little, memory)
        if code == UNFINISHED and record is not None:
            self.unfinished[index] = (journal, record)
        else:
            self.unfinished.pop(index, None)

    def with_outcome(self, outcome: str) -> "Ranges":
        """Return the tasks with an outcome, as ranges."""
        ranges: "Ranges" = []
        for (a, _), offset, stop in zip(self.ranges, self.offsets, self.offsets[1:]):
            ranges.extend(_runs(self.codes[offset:stop], CODES[outcome], a))
        return joined(ranges)

    def failed_once(self, chosen: "Callable[[dict[str, Any]], bool]") -> "Ranges":
        """Return the FAILED tasks that failed once, in a journal whose header is `chosen`, as ranges."""
        numbers = {n for n, journal in enumerate(self.journals) if journal.header and chosen(journal.header)}
        return to_ranges(
            index
            for index, at in self._positions("FAILED")
            if self.holder[at] in numbers and self.failures[at] == 1
        )

    def by_wave(self, outcome: str) -> "dict[int, Ranges]":
        """Return {wave: ranges} of the tasks with an outcome other than OK."""
        indices: "dict[int, list[int]]" = {}
        for index, at in self._positions(outcome):
            indices.setdefault(self.rank[at] >> 32, []).append(index)
        return {wave: to_ranges(numbers) for wave, numbers in indices.items()}

    def _positions(self, outcome: str) -> "Iterator[tuple[int, int]]":
        """Yield (index, position) of the tasks with an outcome."""
        for a, b in self.with_outcome(outcome):
            at = self.position(a)
            assert at is not None
            for index in range(a, b):
                yield index, at + index - a

    def counts(self) -> "dict[str, int]":
        """Return the number of tasks by outcome."""
        return {outcome: self.codes.count(bytes([code])) for outcome, code in CODES.items()}

    def counts_without(self, ranges: "AnyRanges") -> "dict[str, int]":
        """Return the number of tasks by outcome, without the tasks of some ranges."""
        counts = self.counts()
        for a, b in joined(ranges):
            at = self.position(a)
            assert at is not None
            for outcome, code in CODES.items():
                counts[outcome] -= self.codes.count(bytes([code]), at, at + b - a)
        return counts


def _runs(codes: bytearray, code: int, first: int) -> "Iterator[list[int]]":
    """Yield the runs [a, b) of bytes that are `code`; `first` is the number of the first byte."""
    other = bytes(0 if byte == code else 1 for byte in range(256))
    marks = bytes(codes).translate(other)
    at = marks.find(b"\0")
    while at >= 0:
        stop = marks.find(b"\1", at)
        stop = len(marks) if stop < 0 else stop
        yield [first + at, first + stop]
        at = marks.find(b"\0", stop)
