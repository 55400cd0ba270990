"""The word on each task: all journals of a run folded into one state for each index.

OK beats everything, and among OKs the lowest (wave, element, restart) wins; else the highest (wave, attempt).
A retry overrules what earlier waves said of its tasks unless that was OK with a result that can be read.
Only indices that some journal names take memory, so a space of 10^9 tasks with nothing done is one range.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from packhorse.results.journal import OK, OUTCOMES, Journal, Record
from packhorse.results.payload import Payloads

MISSING = "MISSING"
Ranges = Sequence[tuple[int, int]]
Carry = Mapping[str, Callable[[int], int | None]]
_Plan = tuple[int, list[int], list[int]]  # a wave, and where the ranges of its tasks start and stop

# A position is (journal number, line number) in one integer, so that positions compare as the journals do.
_SHIFT = 40
_LINE = (1 << _SHIFT) - 1


class Retry(NamedTuple):
    """A retry plan: its wave, the digest of its space, and its tasks' indices in that space.

    `unreadable` are those whose earlier OK counts no more.
    """

    wave: int
    space: str
    ranges: Ranges
    unreadable: Ranges = ()


class Duplicates(NamedTuple):
    """Tasks that succeeded more than once, and those among them whose results differ in a byte."""

    indices: tuple[int, ...]
    differing: tuple[int, ...]


class Fold:
    """The word on each task of a space, and where the record stands that has it."""

    def __init__(self, size: int, journals: Sequence[Journal]) -> None:
        self.size = size
        self.journals = tuple(journals)
        self.positions: dict[int, int] = {}
        self.foreign = 0  # records of tasks that this space does not have
        self.bad = sum(journal.bad for journal in journals)
        self._rivals: dict[int, list[int]] = {}
        self._indices: dict[int, list[int]] = {}  # each journal's records by their index in this space

    def state(self, index: int) -> str:
        """Return the outcome of a task, or MISSING."""
        position = self.positions.get(index)
        return MISSING if position is None else OUTCOMES[self._outcome(position)]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many tasks have each outcome, and how many are MISSING."""
        found = dict.fromkeys(OUTCOMES, 0)
        for outcomes, _, _ in self._by_journal:
            for code, outcome in enumerate(OUTCOMES):
                found[outcome] += outcomes.count(code)
        found[MISSING] = self.size - len(self.positions)
        return found

    def missing(self) -> list[tuple[int, int]]:
        """Return the tasks without a word as ranges [a, b)."""
        gaps = []
        start = 0
        for a, b in to_ranges(sorted(self.positions)):
            if a > start:
                gaps.append((start, a))
            start = b
        if start < self.size:
            gaps.append((start, self.size))
        return gaps

    def ranges(self, *outcomes: str) -> list[tuple[int, int]]:
        """Return the tasks with one of these outcomes as ranges [a, b)."""
        codes = {OUTCOMES.index(outcome) for outcome in outcomes}
        return to_ranges(sorted(i for i, at in self.positions.items() if self._outcome(at) in codes))

    def record(self, index: int) -> tuple[Journal, Record] | None:
        """Return the record that has the word on one task, with its journal."""
        position = self.positions.get(index)
        return None if position is None else self._read(position)

    def winners(self, *outcomes: str) -> Iterator[tuple[Journal, list[int], list[int]]]:
        """Give, a journal at a time, the tasks it has the word on, and the lines of their records."""
        codes = {OUTCOMES.index(outcome) for outcome in outcomes}
        for journal, (found, indices, lines) in zip(self.journals, self._by_journal, strict=True):
            if all(code in codes for code in set(found)):
                yield journal, indices, lines
            else:
                chosen = [at for at, code in enumerate(found) if code in codes]
                yield journal, [indices[at] for at in chosen], [lines[at] for at in chosen]

    @cached_property
    def _by_journal(self) -> list[tuple[bytes, list[int], list[int]]]:
        """For each journal the outcomes, indices and lines of the tasks it has the word on, by line."""
        placed = sorted(self.positions.values())
        found = []
        stop = 0
        for number, journal in enumerate(self.journals):
            start, stop = stop, bisect_left(placed, (number + 1) << _SHIFT)
            lines = [position & _LINE for position in placed[start:stop]]
            outcomes = bytes(map(journal.outcome.__getitem__, lines))
            indices = self._indices.get(number, [])
            found.append((outcomes, [indices[line] for line in lines], lines))
        return found

    @cached_property
    def duplicates(self) -> Duplicates:
        """The tasks that succeeded more than once; a record written again after a disk error is one success."""
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

    def _meet(self, index: int, position: int) -> None:
        """Let a record compete for the word on a task that has one already."""
        held = self.positions[index]
        if self._outcome(held) == OK and self._outcome(position) == OK:
            self._rivals.setdefault(index, [held]).append(position)
        if self._rank(position) > self._rank(held):
            self.positions[index] = position

    def take(
        self,
        number: int,
        carried: Callable[[int], int | None] | None,
        overruled: _Overruled,
    ) -> None:
        """Let the records of one journal compete for their tasks; only `fold` calls this."""
        journal = self.journals[number]
        positions, size, wave = self.positions, self.size, journal.order[0]
        indices = journal.index if carried is None else [_or_nowhere(carried(old)) for old in journal.index]
        self._indices[number] = indices
        for position, (index, code) in enumerate(
            zip(indices, journal.outcome, strict=True), number << _SHIFT
        ):
            if not 0 <= index < size:
                self.foreign += 1
            elif (code != OK or overruled.unreadable) and overruled(code, index, wave):
                continue
            elif index in positions:
                self._meet(index, position)
            else:
                positions[index] = position


class _Overruled:
    """Says whether a later wave's retry took a task up again; an OK only where its result was unreadable."""

    def __init__(self, retries: Iterable[Retry], space: str, carry: Carry) -> None:
        self.all: list[_Plan] = []
        self.unreadable: list[_Plan] = []
        for wave, digest, given, unreadable in retries:
            for ranges, plans in ((given, self.all), (unreadable, self.unreadable)):
                here = sorted(ranges) if digest == space else _carried_ranges(ranges, carry.get(digest))
                if here:
                    plans.append((wave, [a for a, _ in here], [b for _, b in here]))

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
    """Fold journals into the word on each task of the space with this digest; their order does not matter.

    `carry` maps the digest of an older space to the way from its indices to this space's (`carry_between`);
    journals of any other space are foreign, as are those whose header is lost.
    """
    ordered = sorted(journals, key=lambda journal: journal.order)
    found = Fold(size, ordered)
    carry = carry or {}
    overruled = _Overruled(retries, space, carry)
    for number, journal in enumerate(ordered):
        if journal.header is None:
            continue
        if journal.header.space == space:
            found.take(number, None, overruled)
        elif journal.header.space in carry:
            found.take(number, carry[journal.header.space], overruled)
        else:
            found.foreign += len(journal)
    return found


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


def _carried_ranges(ranges: Ranges, carried: Callable[[int], int | None] | None) -> list[tuple[int, int]]:
    if carried is None:
        return []
    news = {carried(index) for a, b in ranges for index in range(a, b)}
    return to_ranges(sorted(index for index in news if index is not None))


def _or_nowhere(index: int | None) -> int:
    return -1 if index is None else index


def _attempt(journal: Journal, record: Record) -> tuple[object, ...]:
    return (*journal.order[:3], record.attempt, record.begin)


def _payload(journal: Journal, record: Record) -> object:
    with Payloads(journal) as payloads:
        return payloads.exact(record)
