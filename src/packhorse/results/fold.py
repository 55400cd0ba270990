"""The final outcome of each task, folded from all journals of a run.

OK takes precedence, and among OKs the lowest (wave, element, restart); else the highest (wave, attempt) wins.
A retry overrules the outcomes of its tasks in earlier waves, except an OK with a readable result.
Only indices that occur in a journal use memory, so a space of 10^9 tasks without any outcome is one range.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from packhorse.results.journal import OK, OUTCOMES, Journal, Record
from packhorse.results.payload import Payloads
from packhorse.results.positions import Positions

MISSING = "MISSING"
Ranges = Sequence[tuple[int, int]]
Carry = Mapping[str, Callable[[int], int | None]]
_Plan = tuple[int, list[int], list[int]]  # a wave, and the starts and stops of the ranges of its tasks

# A position is (journal number, line number) in one integer, so that positions compare as the journals do.
_SHIFT = 40
_LINE = (1 << _SHIFT) - 1


class Retry(NamedTuple):
    """A retry plan: its wave, the digest of its space, and the indices of its tasks in that space.

    `unreadable` are tasks whose earlier OK no longer counts.
    """

    wave: int
    space: str
    ranges: Ranges
    unreadable: Ranges = ()


class Duplicates(NamedTuple):
    """Tasks that succeeded more than once, and those of them whose results differ."""

    indices: tuple[int, ...]
    differing: tuple[int, ...]


class Fold:
    """The final outcome of each task of a space, and the position of the record that decides it."""

    def __init__(self, size: int, journals: Sequence[Journal]) -> None:
        self.size = size
        self.journals = tuple(journals)
        self.positions = Positions(size, sum(map(len, journals)))
        self.foreign = 0  # number of records whose task is not in this space
        self.bad = sum(journal.bad for journal in journals)
        self._rivals: dict[int, list[int]] = {}
        self._indices: dict[int, Sequence[int]] = {}  # by journal: the indices of its records in this space

    def state(self, index: int) -> str:
        """Return the final outcome of a task, or MISSING."""
        position = self.positions.get(index)
        return MISSING if position is None else OUTCOMES[self._outcome(position)]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many tasks have each outcome, and how many are MISSING."""
        counts = dict.fromkeys(OUTCOMES, 0)
        for outcomes, _, _ in self._by_journal:
            for code, outcome in enumerate(OUTCOMES):
                counts[outcome] += outcomes.count(code)
        counts[MISSING] = self.size - len(self.positions)
        return counts

    def missing(self) -> list[tuple[int, int]]:
        """Return the tasks without an outcome as ranges [a, b)."""
        gaps = []
        start = 0
        for a, b in to_ranges(index for index, _ in self.positions.items()):
            if a > start:
                gaps.append((start, a))
            start = b
        if start < self.size:
            gaps.append((start, self.size))
        return gaps

    def ranges(self, *outcomes: str) -> list[tuple[int, int]]:
        """Return the tasks with one of these outcomes as ranges [a, b)."""
        codes = {OUTCOMES.index(outcome) for outcome in outcomes}
        return to_ranges(i for i, at in self.positions.items() if self._outcome(at) in codes)

    def refused(self) -> list[tuple[int, int]]:
        """Return the tasks whose result the last merge could not read as ranges [a, b)."""
        return to_ranges(
            index
            for index, at in self.positions.items()
            if (at & _LINE) in self.journals[at >> _SHIFT].refused
        )

    def record(self, index: int) -> tuple[Journal, Record] | None:
        """Return the record that decides a task's outcome, with its journal, or None for a missing task."""
        position = self.positions.get(index)
        return None if position is None else self._read(position)

    def winners(self, *outcomes: str) -> Iterator[tuple[Journal, Sequence[int], Sequence[int]]]:
        """Yield each journal with the indices of the tasks that it decides, and the lines of their records."""
        codes = {OUTCOMES.index(outcome) for outcome in outcomes}
        for journal, (decided, indices, lines) in zip(self.journals, self._by_journal, strict=True):
            if all(code in codes for code in set(decided)):
                yield journal, indices, lines
            else:
                chosen = [at for at, code in enumerate(decided) if code in codes]
                yield journal, [indices[at] for at in chosen], [lines[at] for at in chosen]

    @cached_property
    def _by_journal(self) -> list[tuple[bytes | bytearray, Sequence[int], Sequence[int]]]:
        """For each journal the outcomes, indices and lines of the tasks that it decides, by line."""
        rows: list[tuple[bytes | bytearray, Sequence[int], Sequence[int]]] = []
        for number, journal in enumerate(self.journals):
            indices = self._indices.get(number, ())
            lines = self.positions.decided(indices, number << _SHIFT)
            if isinstance(lines, range):  # all of them, the usual case
                rows.append((journal.outcome[: len(indices)], indices, lines))
            else:
                outcomes = bytes(map(journal.outcome.__getitem__, lines))
                rows.append((outcomes, [indices[line] for line in lines], lines))
        return rows

    @cached_property
    def duplicates(self) -> Duplicates:
        """The tasks that succeeded more than once; a record that was written twice after a disk error counts once."""
        twice, differing = [], []
        for index, positions in sorted(self._rivals.items()):
            records = [self._read(position) for position in positions]
            if len({_attempt(journal, record) for journal, record in records}) > 1:
                twice.append(index)
                if len({_payload(journal, record) for journal, record in records}) > 1:
                    differing.append(index)
        return Duplicates(tuple(twice), tuple(differing))

    def _outcome(self, position: int) -> int:
        return self.journals[position >> _SHIFT].outcome[position & _LINE]

    def _read(self, position: int) -> tuple[Journal, Record]:
        journal = self.journals[position >> _SHIFT]
        return journal, next(journal.records([position & _LINE]))

    def _rank(self, position: int) -> tuple[bool, int, int, int]:
        journal, line = self.journals[position >> _SHIFT], position & _LINE
        if journal.outcome[line] == OK:
            return (True, -position, 0, 0)
        return (False, journal.order[0], journal.attempt[line], position)

    def _compete(self, index: int, position: int) -> None:
        """Let a record compete with the one that decides a task so far."""
        current = self.positions.get(index)
        assert current is not None
        if self._outcome(current) == OK and self._outcome(position) == OK:
            self._rivals.setdefault(index, [current]).append(position)
        if self._rank(position) > self._rank(current):
            self.positions.set(index, position)

    def take(
        self,
        number: int,
        index_map: Callable[[int], int | None] | None,
        overruled: _Overruled,
    ) -> None:
        """Let the records of one journal compete for their tasks; only `fold` calls this.

        `index_map` maps the journal's indices to this space, None where the spaces are the same.
        """
        journal = self.journals[number]
        first, wave = number << _SHIFT, journal.order[0]
        indices: Sequence[int] = journal.index
        if index_map is not None:
            indices = array("q", [-1 if new is None else new for new in map(index_map, journal.index)])
        self._indices[number] = indices
        if not (overruled.all or overruled.unreadable):
            for line in self.positions.add_free(indices, first):
                self._take_one(indices[line], first + line)
            return
        for line, (index, code) in enumerate(zip(indices, journal.outcome, strict=True)):
            if not ((code != OK or overruled.unreadable) and overruled(code, index, wave)):
                self._take_one(index, first + line)

    def _take_one(self, index: int, position: int) -> None:
        if not 0 <= index < self.size:
            self.foreign += 1
        elif self.positions.get(index) is not None:
            self._compete(index, position)
        else:
            self.positions.set(index, position)


class _Overruled:
    """Decides whether the retry of a later wave overrules a record; an OK only where its result was unreadable."""

    def __init__(self, retries: Iterable[Retry], space: str, carry: Carry) -> None:
        self.all: list[_Plan] = []
        self.unreadable: list[_Plan] = []
        for wave, digest, given, unreadable in retries:
            for ranges, plans in ((given, self.all), (unreadable, self.unreadable)):
                mapped = sorted(ranges) if digest == space else _map_ranges(ranges, carry.get(digest))
                if mapped:
                    plans.append((wave, [a for a, _ in mapped], [b for _, b in mapped]))

    def __call__(self, outcome: int, index: int, wave: int) -> bool:
        for later, starts, stops in self.unreadable if outcome == OK else self.all:
            at = bisect_right(starts, index) - 1
            if later > wave and at >= 0 and index < stops[at]:
                return True
        return False


def fold(
    size: int,
    journals: Iterable[Journal],
    *,
    space: str,
    carry: Carry | None = None,
    retries: Iterable[Retry] = (),
) -> Fold:
    """Fold journals, in any order, into the final outcome of each task of the space with the digest `space`.

    `carry` maps the digest of an older space to a function from its indices to those of this space (`map_indices`).
    Records of journals of any other space are foreign. Journals without a header have no records.
    """
    ordered = sorted(journals, key=lambda journal: journal.order)
    result = Fold(size, ordered)
    carry = carry or {}
    overruled = _Overruled(retries, space, carry)
    for number, journal in enumerate(ordered):
        if journal.header is None:
            continue
        if journal.header.space == space:
            result.take(number, None, overruled)
        elif journal.header.space in carry:
            result.take(number, carry[journal.header.space], overruled)
        else:
            result.foreign += len(journal)
    return result


def to_ranges(indices: Iterable[int]) -> list[tuple[int, int]]:
    """Join ascending indices into ranges [a, b)."""
    ranges: list[tuple[int, int]] = []
    start = stop = None
    for index in indices:
        if index != stop:
            if start is not None and stop is not None:
                ranges.append((start, stop))
            start = index
        stop = index + 1
    if start is not None and stop is not None:
        ranges.append((start, stop))
    return ranges


def _map_ranges(ranges: Ranges, index_map: Callable[[int], int | None] | None) -> list[tuple[int, int]]:
    if index_map is None:
        return []
    mapped = {index_map(index) for a, b in ranges for index in range(a, b)}
    return to_ranges(sorted(index for index in mapped if index is not None))


def _attempt(journal: Journal, record: Record) -> tuple[object, ...]:
    return (*journal.order[:3], record.attempt, record.begin)


def _payload(journal: Journal, record: Record) -> object:
    with Payloads(journal) as payloads:
        return payloads.exact(record)
