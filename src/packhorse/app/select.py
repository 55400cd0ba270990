"""Choosing tasks: by index, or by `--where n=50`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packhorse.model.errors import UsageError
from packhorse.model.space import ParameterSpace, canonical
from packhorse.study.write import split_values

IndexRange = tuple[int, int]


class Chosen:
    """Says of each index whether `--where` names it; without conditions all are named."""

    def __init__(self, space: ParameterSpace, where: Sequence[str]) -> None:
        self.space = space
        self.wanted: dict[str, set[str]] = {}
        for said in where:
            name, equals, values = said.partition("=")
            known = [*space.names, "replicate"]
            if not equals or name not in known:
                message = f"--where {said}: expected NAME=VALUE with one of: {', '.join(known)}"
                raise UsageError(message, f"for example --where {known[0]}=1")
            self.wanted.setdefault(name, set()).update(canonical(name, one) for one in split_values(values))
        self._levels: dict[tuple[int, int], bool] = {}

    def __contains__(self, index: int) -> bool:
        if not self.wanted:
            return True
        levels, replicate = self.space.arithmetic.place(index)
        if "replicate" in self.wanted and canonical("replicate", replicate) not in self.wanted["replicate"]:
            return False
        return all(self._level(number, level) for number, level in enumerate(levels))

    def _level(self, number: int, level: int) -> bool:
        found = self._levels.get((number, level))
        if found is None:
            axis = self.space.arithmetic.axes[number]
            pairs = zip(axis.names, axis.values(level), strict=True)
            found = all(canonical(n, v) in self.wanted[n] for n, v in pairs if n in self.wanted)
            self._levels[(number, level)] = found
        return found

    def within(self, ranges: Sequence[IndexRange]) -> list[IndexRange]:
        """Return those parts of ranges that are chosen."""
        if not self.wanted:
            return list(ranges)
        found: list[IndexRange] = []
        for a, b in ranges:
            for index in range(a, b):
                if index in self:
                    if found and found[-1][1] == index:
                        found[-1] = (found[-1][0], index + 1)
                    else:
                        found.append((index, index + 1))
        return found

    def __iter__(self) -> Iterator[int]:
        return (index for index in range(self.space.size) if index in self)


def one_task(space: ParameterSpace, task: int | None, where: Sequence[str]) -> int:
    """Return the index of the task that is meant: by number, or the first that fits."""
    if task is not None:
        if not 0 <= task < space.size:
            known = f"they are numbered 0 to {space.size - 1}" if space.size > 1 else "the only one is task 0"
            raise UsageError(f"no task {task}: {known}", "packhorse plan study.yaml")
        return task
    for index in Chosen(space, where):
        return index
    raise UsageError(f"no task with {' and '.join(where)}", "packhorse plan study.yaml")
