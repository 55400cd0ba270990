"""Columns of parameters, computed from the indices of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from packhorse.model.space import ParameterSpace
from packhorse.results.columns import INT64, typed_column

if TYPE_CHECKING:
    import polars as pl


def parameter_columns(space: ParameterSpace, index: pl.Series) -> list[pl.Series]:
    """Return a column for each parameter of these tasks, computed from their indices."""
    import polars as pl

    # Where nothing must be computed, columns share their memory with the index.
    point = index // space.replicates if space.replicates > 1 else index
    columns: list[pl.Series] = []
    axes = list(space.arithmetic.axes)
    while axes:
        axis = axes.pop()
        level, point = (point % axis.count, point // axis.count) if axes else (point, point)
        if axis.range is not None and _is_exact(axis.range):
            start, step, _ = axis.range
            value = level * step + start if (start, step) != (0, 1) else level
            columns = [value.alias(axis.names[0]), *columns]
            continue
        # The type comes from all levels, so that it stays the same while tasks finish.
        used = pl.Series(range(axis.count)) if axis.levels is not None else level.unique().sort()
        rows = [axis.values(at) for at in used]
        at = level if axis.levels is not None else used.search_sorted(level)
        new = [
            typed_column(name, [row[n] for row in rows], axis.written.get(name)).gather(at)
            for n, name in enumerate(axis.names)
        ]
        columns = new + columns
    return columns


def _is_exact(bounds: Sequence[int]) -> bool:
    """Return whether all numbers of a range (start, step, count) fit a column of integers."""
    start, step, count = bounds
    ends = (start, step, start + step * (count - 1))
    return all(type(end) is int and INT64[0] <= end <= INT64[1] for end in ends)
