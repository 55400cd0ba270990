"""Select tasks: by index, or by `--where n=50`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import contains
from typing import Any

from packhorse.model.errors import UsageError
from packhorse.model.space import ParameterSpace, canonical
from packhorse.study.write import split_values

IndexRange = tuple[int, int]
Levels = range | list[int]


class TaskFilter:
    """The tasks that match all `--where` conditions, found by levels and not task by task.

    Raises UsageError for a condition without a known name.
    """

    def __init__(self, space: ParameterSpace, where: Sequence[str]) -> None:
        self.space = space
        wanted: dict[str, list[Any]] = {}
        for condition in where:
            name, equals, values = condition.partition("=")
            known = [*space.names, "replicate"]
            if not equals or name not in known:
                message = f"--where {condition}: expected NAME=VALUE with one of: {', '.join(known)}"
                raise UsageError(message, f"for example --where {known[0]}=1")
            wanted.setdefault(name, []).extend(split_values(values))
        self.all = not wanted
        self.axes = [_levels(space, number, wanted) for number in range(len(space.arithmetic.axes))]
        self.replicates: Levels = range(space.replicates)
        if "replicate" in wanted:
            self.replicates = [number for number in self.replicates if number in wanted["replicate"]]
        self._sets = [axis if isinstance(axis, range) else frozenset(axis) for axis in self.axes]

    def __contains__(self, index: int) -> bool:
        if self.all:
            return True
        levels, replicate = self.space.arithmetic.place(index)
        return replicate in self.replicates and all(map(contains, self._sets, levels))

    def within(self, ranges: Sequence[IndexRange]) -> list[IndexRange]:
        """Return the parts of ranges that match."""
        if self.all:
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
        count = self.space.replicates
        return (point * count + replicate for point in self._points(0, 0) for replicate in self.replicates)

    def _points(self, number: int, above: int) -> Iterator[int]:
        """Yield the matching points in order, of those with the levels `above` on the first axes."""
        if number == len(self.axes):
            yield above
            return
        count = self.space.arithmetic.axes[number].count
        for level in self.axes[number]:
            yield from self._points(number + 1, above * count + level)


def _levels(space: ParameterSpace, number: int, wanted: Mapping[str, Sequence[Any]]) -> Levels:
    """Return the levels of one axis that match the conditions on its names."""
    axis = space.arithmetic.axes[number]
    asked = {
        name: {canonical(name, value) for value in wanted[name]} for name in axis.names if name in wanted
    }
    if not asked:
        return range(axis.count)
    if axis.range is not None:  # one name, and perhaps 10^9 levels
        lookup = space.lookup()
        found = {lookup.level(number, (value,)) for value in wanted[axis.names[0]]}
        return sorted(level for level in found if level is not None)
    return [level for level in range(axis.count) if _fits(axis.names, axis.values(level), asked)]


def _fits(names: Sequence[str], values: Sequence[Any], asked: Mapping[str, set[str]]) -> bool:
    pairs = zip(names, values, strict=True)
    return all(canonical(name, value) in asked[name] for name, value in pairs if name in asked)


def one_task(space: ParameterSpace, task: int | None, where: Sequence[str]) -> int:
    """Return the index of one task: by number, or the first that matches; raise UsageError where there is none."""
    if task is not None:
        if not 0 <= task < space.size:
            known = f"tasks are numbered 0 to {space.size - 1}" if space.size > 1 else "the only task is 0"
            raise UsageError(f"no task {task}: {known}", "packhorse plan study.yaml")
        return task
    for index in TaskFilter(space, where):
        return index
    raise UsageError(f"no task with {' and '.join(where)}", "packhorse plan study.yaml")
