"""The tasks of a pilot: corners and centre of the parameter space first, then what separates the parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Any, Literal

from msgspec import Struct

from packhorse.model.space import ParameterSpace

MOST_EFFECTS = 8  # levels of a parameter that is not a positive number, each of which may have its own effect
MOST_CORNERS = 4096

# power: positive numbers, of which time may be a power; effect: a few levels, each with a factor of its own;
# other: tried at its first, middle and last level, but in no model; fixed: does not vary, or as replicates do.
Kind = Literal["power", "effect", "other", "fixed"]
Levels = tuple[int, ...]


class PilotAxis(Struct, frozen=True, kw_only=True):
    """One axis as a pilot sees it: the parameter that the law has of it, and the levels to try, the smallest first."""

    name: str
    kind: Kind
    at: int = 0  # place of the parameter among the values of a level
    levels: Levels

    @property
    def ends(self) -> Levels:
        """The first and the last level to try."""
        return (self.levels[0], self.levels[-1]) if len(self.levels) > 1 else self.levels

    @property
    def middle(self) -> int:
        """The level in the middle."""
        return self.levels[len(self.levels) // 2]


def pilot_axes(space: ParameterSpace) -> list[PilotAxis]:
    """Return how a pilot sees each axis of a space."""
    return [_pilot_axis(axis) for axis in space.arithmetic.axes]


def _pilot_axis(axis: Any) -> PilotAxis:
    name, count = axis.names[0], axis.count
    if count == 1 or axis.resample or axis.chunks is not None:
        return PilotAxis(name=name, kind="fixed", levels=(0,))
    spread = (0, count // 2, count - 1) if count > 2 else (0, 1)
    if axis.range is not None:
        start, step, _ = axis.range
        if min(start, start + step * (count - 1)) > 0:
            return PilotAxis(name=name, kind="power", levels=spread if step > 0 else spread[::-1])
        return PilotAxis(name=name, kind="other", levels=spread)
    for at, one in enumerate(axis.names):
        values = [row[at] for row in axis.levels]
        if all(map(_positive, values)) and min(values) < max(values):
            order = sorted(range(count), key=values.__getitem__)
            return PilotAxis(name=one, kind="power", at=at, levels=tuple(order[level] for level in spread))
    if count <= MOST_EFFECTS:
        return PilotAxis(name=name, kind="effect", levels=tuple(range(count)))
    return PilotAxis(name=name, kind="other", levels=spread)


def _positive(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and value > 0 and math.isfinite(value)
    )


def pilot_tasks(space: ParameterSpace, number: int) -> list[int]:
    """Return the indices of up to `number` tasks of a pilot, ascending.

    First come the centre and the corners, or, where there are many corners, the points that vary one parameter from
    the centre; then the others of these; then further replicates of all of them.
    """
    axes = pilot_axes(space)
    corners, crosses = list(islice(_corners(axes), MOST_CORNERS)), list(_crosses(axes))
    few = len(corners) <= number // 2
    centre = tuple(axis.middle for axis in axes)
    ends = [tuple(axis.ends[0] for axis in axes), tuple(axis.ends[-1] for axis in axes)]
    order = [centre, *ends, *(corners + crosses if few else crosses + corners)]
    points = list(dict.fromkeys(order))
    chosen = islice(
        (
            _index(space, levels, replicate)
            for replicate in range(min(number, space.replicates))
            for levels in points
        ),
        number,
    )
    return sorted(chosen)


def largest_task(space: ParameterSpace) -> int:
    """Return the index of the task with the largest level of every parameter."""
    return _index(space, tuple(axis.ends[-1] for axis in pilot_axes(space)), 0)


def _corners(axes: Sequence[PilotAxis]) -> Iterator[Levels]:
    """Yield the corners of the axes with a power, each with the middle level of the others."""
    return product(*(axis.ends if axis.kind == "power" else (axis.middle,) for axis in axes))


def _crosses(axes: Sequence[PilotAxis]) -> Iterator[Levels]:
    """Yield the points that differ from the centre in one axis."""
    centre = [axis.middle for axis in axes]
    for number, axis in enumerate(axes):
        for level in axis.levels:
            yield (*centre[:number], level, *centre[number + 1 :])


def _index(space: ParameterSpace, levels: Levels, replicate: int) -> int:
    point = 0
    for axis, level in zip(space.arithmetic.axes, levels, strict=True):
        point = point * axis.count + level
    return point * space.replicates + replicate
