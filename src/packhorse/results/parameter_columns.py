"""Columns of parameters, computed from the indices of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packhorse.model.space import ParameterSpace
from packhorse.results.columns import typed_column

if TYPE_CHECKING:
    import polars as pl


def parameter_columns(space: ParameterSpace, index: pl.Series) -> list[pl.Series]:
    """Return a column for each parameter of these tasks, computed from their indices."""
    import polars as pl

    point = index // space.replicates
    columns: list[pl.Series] = []
    for axis in reversed(space.arithmetic.axes):
        level, point = point % axis.count, point // axis.count
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
