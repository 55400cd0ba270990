"""The record that decides each task: a position for each index, in an array or a dict, whichever is smaller."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from operator import eq

_DENSE = 8  # bytes of a place in the array
_SPARSE = 150  # bytes of an entry of the dict, with its two integers


class Positions:
    """A map from task indices below `size` to positions, of which about `records` are expected."""

    def __init__(self, size: int, records: int) -> None:
        self._count = 0
        self._size = size
        # A position is stored plus one, so that 0 is none. The last place is that of index -1, which has none.
        self._places: array[int] | dict[int, int] = {}
        if size * _DENSE <= records * _SPARSE:
            self._places = array("q", bytes(_DENSE)) * (size + 1)

    def __len__(self) -> int:
        return self._count

    def get(self, index: int) -> int | None:
        """Return the position of a task that is in the space, or None."""
        stored = self._stored(index)
        return stored - 1 if stored else None

    def set(self, index: int, position: int) -> None:
        """Store the position of a task that is in the space."""
        self._count += not self._stored(index)
        self._places[index] = position + 1

    def add_free(self, indices: Sequence[int], first: int) -> list[int]:
        """Store positions `first`, `first` + 1, ... for tasks that have none; return where in `indices` the others are."""
        places, size = self._places, self._size
        taken: list[int] = []
        if isinstance(places, dict):
            for at, index in enumerate(indices):
                if index in places or not 0 <= index < size:
                    taken.append(at)
                else:
                    places[index] = first + at + 1
        else:
            for position, index in enumerate(indices, first + 1):
                if 0 <= index < size and not places[index]:
                    places[index] = position
                else:
                    taken.append(position - first - 1)
        self._count += len(indices) - len(taken)
        return taken

    def decided(self, indices: Sequence[int], first: int) -> list[int] | range:
        """Return where in `indices` the tasks are whose position is `first` plus that; -1 never is."""
        places = self._places
        places_of = places.get if isinstance(places, dict) else places.__getitem__
        if all(map(eq, map(places_of, indices), range(first + 1, first + 1 + len(indices)))):
            return range(len(indices))  # the usual case, without a list of a million numbers
        if isinstance(places, dict):
            chosen = [at for at, index in enumerate(indices) if places.get(index) == first + at + 1]
        else:
            chosen = [
                position - first - 1
                for position, index in enumerate(indices, first + 1)
                if places[index] == position
            ]
        return chosen

    def items(self) -> Iterator[tuple[int, int]]:
        """Yield (index, position) by index."""
        if isinstance(self._places, dict):
            yield from ((index, self._places[index] - 1) for index in sorted(self._places))
        else:
            yield from ((index, stored - 1) for index, stored in enumerate(self._places) if stored)

    def _stored(self, index: int) -> int:
        return self._places.get(index, 0) if isinstance(self._places, dict) else self._places[index]
