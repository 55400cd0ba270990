"""Bitwise comparison of the results of two runs of the same tasks, as for `rerun`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from packhorse.results.fold import Fold
from packhorse.results.formats.rows import Row, UnreadableError
from packhorse.results.journal import Journal, Record
from packhorse.results.payload import Payloads


class Difference(Struct, frozen=True):
    """One value that differs: column and row, and both values as exact text ("" where absent)."""

    index: int
    column: str
    row: int
    first: str
    second: str


class Comparison(Struct, frozen=True):
    """Result of a comparison: numbers of tasks, and the indices of tasks that differ or that only one run has."""

    compared: int
    same: int
    different: tuple[int, ...]
    differences: tuple[Difference, ...]
    absent: tuple[int, ...]  # not OK in the first run

    @property
    def columns(self) -> dict[str, int]:
        """How many tasks differ in each column, most first."""
        pairs = {(difference.column, difference.index) for difference in self.differences}
        return dict(Counter(column for column, _ in sorted(pairs)).most_common())


def compare(first: Fold, second: Fold, default_format: str = "text") -> Comparison:
    """Compare the results of all tasks that are OK in `second` with the same tasks' in `first`.

    Both folds must be of one space. Results whose bytes differ but whose values are bitwise equal (such as a JSON
    object in another layout) are the same.
    """
    same = 0
    different, absent = [], []
    differences: list[Difference] = []
    for index, journal, record in _succeeded(second):
        before = first.record(index)
        if before is None or before[1].outcome != "OK":
            absent.append(index)
            continue
        unequal = _differences(index, before, (journal, record), default_format)
        same += not unequal
        if unequal:
            different.append(index)
            differences.extend(unequal)
    differences.sort(key=lambda d: (d.index, d.row, d.column))
    return Comparison(
        same + len(different), same, tuple(sorted(different)), tuple(differences), tuple(sorted(absent))
    )


def _succeeded(fold: Fold) -> Iterator[tuple[int, Journal, Record]]:
    for journal, indices, lines in fold.winners("OK"):
        for index, record in zip(indices, journal.records(lines), strict=True):
            yield index, journal, record


def _differences(
    index: int, before: tuple[Journal, Record], after: tuple[Journal, Record], default_format: str
) -> list[Difference]:
    with Payloads(before[0], default_format) as old, Payloads(after[0], default_format) as new:
        if old.exact(before[1]) == new.exact(after[1]):
            return []
        try:
            return list(_unequal(index, old.rows(before[1]) or [], new.rows(after[1]) or []))
        except UnreadableError as error:
            return [Difference(index, "", 0, "", str(error))]


def _unequal(index: int, old: list[Row], new: list[Row]) -> Iterator[Difference]:
    for number in range(max(len(old), len(new))):
        left = old[number] if number < len(old) else {}
        right = new[number] if number < len(new) else {}
        for name in {**left, **right}:
            # repr distinguishes 1 from 1.0, 0.0 from -0.0, and every float from its neighbours.
            first = repr(left[name]) if name in left else ""
            second = repr(right[name]) if name in right else ""
            if first != second:
                yield Difference(index, name, number, first, second)
