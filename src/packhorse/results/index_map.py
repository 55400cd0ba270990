"""Map from the task indices of an older space to those of a space that grew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from packhorse.model.space import Lookup, ParameterSpace


def map_indices(
    old: ParameterSpace, new: ParameterSpace, defaults: Mapping[str, Any] | None = None
) -> Callable[[int], int | None]:
    """Return a function from an old index to the new index of the task with the same key, or None.

    A parameter that only the new space has takes its value from `defaults`; without one nothing matches.
    """
    lookup = new.lookup()
    known = {name: value for name, value in (defaults or {}).items() if name not in old.names}
    if set(new.names) - set(old.names) - set(known) or set(old.names) - set(new.names):
        return _nowhere
    digits = _digits(old, lookup, known)
    if digits is None:
        return lambda index: lookup.find({**_chosen(known, new), **old[index]}, old.replicate(index))
    return _by_digits(old, new, digits)


def _nowhere(index: int) -> int | None:  # noqa: ARG001 - a map like the others
    return None


class _Levels(dict[int, int | None]):
    """Old level -> its contribution to the new point; computed at first use, since an axis may have 10^9 levels."""

    def __init__(self, axis: Any, lookup: Lookup, number: int, weight: int) -> None:
        super().__init__()
        self.axis, self.lookup, self.number, self.weight = axis, lookup, number, weight
        names = lookup.space.arithmetic.axes[number].names
        self.order = [axis.names.index(name) for name in names]

    def __missing__(self, level: int) -> int | None:
        values = self.axis.values(level)
        new = self.lookup.level(self.number, tuple(values[at] for at in self.order))
        self[level] = None if new is None else new * self.weight
        return self[level]


def _digits(
    old: ParameterSpace, lookup: Lookup, known: Mapping[str, Any]
) -> tuple[int, list[_Levels]] | None:
    """Return the contribution of the new factors to the point, and a map for each old axis, last axis first.

    Return None where factors were regrouped, or where a default is not a level of its new factor.
    """
    new_axes = lookup.space.arithmetic.axes
    weights = {}
    weight = 1
    for number in reversed(range(len(new_axes))):
        weights[frozenset(new_axes[number].names)] = (number, weight)
        weight *= new_axes[number].count
    fixed = 0
    for names, (number, weight) in weights.items():
        if names <= set(known):
            level = lookup.level(number, tuple(known[name] for name in new_axes[number].names))
            if level is None:
                return None
            fixed += level * weight
    maps = []
    for axis in reversed(old.arithmetic.axes):
        if frozenset(axis.names) not in weights:
            return None
        number, weight = weights[frozenset(axis.names)]
        maps.append(_Levels(axis, lookup, number, weight))
    return fixed, maps


def _by_digits(
    old: ParameterSpace, new: ParameterSpace, digits: tuple[int, list[_Levels]]
) -> Callable[[int], int | None]:
    fixed, maps = digits
    axes = [(levels.axis.count, levels) for levels in maps]
    old_replicates, new_replicates = old.replicates, new.replicates

    def map_index(index: int) -> int | None:
        point, replicate = divmod(index, old_replicates)
        if replicate >= new_replicates:
            return None
        new_point = fixed
        for count, levels in axes:
            point, level = divmod(point, count)
            part = levels[level]
            if part is None:
                return None
            new_point += part
        return new_point * new_replicates + replicate

    return map_index


def _chosen(known: Mapping[str, Any], new: ParameterSpace) -> dict[str, Any]:
    return {name: value for name, value in known.items() if name in new.names}
