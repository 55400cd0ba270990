"""All results of a run as one xarray dataset: the parameters are labelled dimensions, before those of the arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from packhorse.model.errors import UsageError
from packhorse.model.space import ParameterSpace, text
from packhorse.model.study import Result
from packhorse.results.fold import Fold
from packhorse.results.formats.rows import Array, Row, UnreadableError
from packhorse.results.payload import Payloads, Readers, result_format
from packhorse.text.amounts import counted

if TYPE_CHECKING:
    import numpy as np
    import xarray

MOST = 1 << 34  # bytes of a stack in memory
EXAMPLES = 5


class Stack(Struct, frozen=True):
    """A dataset, and how many tasks have no value in it; `other_shape` are tasks whose arrays have another shape."""

    dataset: xarray.Dataset
    missing: int
    other_shape: tuple[int, ...]

    def notes(self) -> Iterator[str]:
        """Yield what a reader of the dataset must know."""
        if self.missing:
            yield f"{counted(self.missing, 'task')} without a value: NaN in the stack"
        if self.other_shape:
            shown = ", ".join(map(str, self.other_shape[:EXAMPLES]))
            number = counted(len(self.other_shape), "task")
            yield f"arrays of another shape, of {number}, are not in the stack, such as task {shown}"

    def labelled(self) -> dict[str, tuple[np.ndarray[Any, Any], list[tuple[str, int, list[str]]]]]:
        """Return each variable with (name, size, labels) of its dimensions; labels are empty where it has none."""
        found = {}
        for name, variable in self.dataset.data_vars.items():
            dims = []
            for dim in map(str, variable.dims):
                known = self.dataset.coords.get(dim)
                labels = [] if known is None else [text(label) for label in known.values.tolist()]
                dims.append((dim, self.dataset.sizes[dim], labels))
            found[str(name)] = (variable.values, dims)
        return found


def stack_results(
    space: ParameterSpace, fold: Fold, result: Result | None, readers: Readers | None = None
) -> Stack:
    """Return the values and arrays of all finished tasks with one row, by parameters and replicate.

    Shapes are (levels of each parameter, replicates, shape of the array). Raise UsageError without xarray, where no task
    has numbers, and where the stack would need more than 16 GiB.
    """
    try:
        import numpy as np
        import xarray
    except ImportError as error:
        raise UsageError("xarray is not installed here", "pip install 'packhorse[arrays]'") from error
    outer = _outer_shape(space)
    stacked: dict[str, _Variable] = {}
    done: set[int] = set()
    others: set[int] = set()
    for index, row in _rows(fold, result, readers):
        place = np.unravel_index(index, outer)
        for name, (values, dims) in _numbers(row).items():
            variable = stacked.get(name)
            if variable is None:
                variable = stacked[name] = _Variable(name, values, dims, outer)
            if variable.put(place, values):
                done.add(index)
            else:
                others.add(index)
    if not stacked:
        raise UsageError("no finished task has numbers or arrays to stack", "packhorse status shows the run")
    dataset = xarray.Dataset(
        {name: variable.as_variable(_outer_dims(space)) for name, variable in stacked.items()},
        _coordinates(space),
    )
    return Stack(dataset, space.size - len(done | others), tuple(sorted(others)))


class _Variable:
    """One variable of the stack: an array with a place for each task, and which places have a value."""

    def __init__(
        self, name: str, values: np.ndarray[Any, Any], dims: tuple[str, ...], outer: tuple[int, ...]
    ) -> None:
        import numpy as np

        size = math.prod(outer) * values.size * 8
        if size > MOST:
            raise UsageError(
                f"the stack of {name} would need {size / (1 << 30):,.0f} GiB",
                "stack fewer tasks, or smaller arrays",
            )
        self.dims = dims or tuple(f"{name}_{at}" for at in range(values.ndim))
        self.shape = values.shape
        self.values = np.zeros((*outer, *values.shape), dtype=values.dtype)
        self.filled = np.zeros(outer, dtype=bool)

    def put(self, place: Any, values: np.ndarray[Any, Any]) -> bool:
        """Put the values of one task in their place; return False where they have another shape."""
        import numpy as np

        if values.shape != self.shape:
            return False
        wider = np.result_type(self.values, values)
        if wider != self.values.dtype:
            self.values = self.values.astype(wider)
        self.values[place] = values
        self.filled[place] = True
        return True

    def as_variable(self, outer: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray[Any, Any]]:
        """Return dimensions and values; where a task has no value, integers become doubles and NaN."""
        import numpy as np

        values = self.values
        if not self.filled.all():
            values = values.astype(np.result_type(values, np.float64))
            values[~self.filled] = np.nan
        return (*outer, *self.dims), values


def _rows(fold: Fold, result: Result | None, readers: Readers | None) -> Iterator[tuple[int, Row]]:
    """Yield the tasks whose result is one row."""
    default = result_format(result.format, result.file) if result is not None else "text"
    for journal, indices, lines in fold.winners("OK"):
        # Whole vectors, since their length may cross that at which they are columns of the table.
        with Payloads(journal, default, result, readers, short=1) as payloads:
            at = 0
            for chosen, block in journal.blocks(lines):
                records = journal.decoded(chosen, block)
                payloads.prepare(records)
                for index, record in zip(indices[at : at + len(chosen)], records, strict=True):
                    try:
                        rows = payloads.rows(record)
                    except UnreadableError:
                        continue
                    if rows and len(rows) == 1:
                        yield index, rows[0]
                at += len(chosen)


def _numbers(row: Row) -> dict[str, tuple[np.ndarray[Any, Any], tuple[str, ...]]]:
    """Return the numbers of a row as arrays with the names of their dimensions."""
    import numpy as np

    found = {}
    for name, value in row.items():
        if type(value) is Array:
            found[name] = (value.values, value.dims)
        elif type(value) in (bool, int, float, list):
            try:
                values = np.asarray(value)
            except (TypeError, ValueError, OverflowError):  # lists of different lengths
                continue
            if values.dtype.kind in "biuf":
                found[name] = (values, ())
    return found


def _outer_shape(space: ParameterSpace) -> tuple[int, ...]:
    return (*(int(axis.count) for axis in space.arithmetic.axes), space.replicates)


def _outer_dims(space: ParameterSpace) -> tuple[str, ...]:
    """Return a name for each axis: its parameter's, or those of parameters that vary together joined by a hyphen."""
    return (*("-".join(axis.names) for axis in space.arithmetic.axes), "replicate")


def _coordinates(space: ParameterSpace) -> dict[str, Any]:
    """Return the levels of each parameter along its dimension."""
    found: dict[str, Any] = {"replicate": list(range(space.replicates))}
    for axis, dim in zip(space.arithmetic.axes, _outer_dims(space), strict=False):
        rows = [axis.values(level) for level in range(axis.count)]
        for at, name in enumerate(axis.names):
            levels = [row[at] for row in rows]
            # One type of label for each dimension, so texts where types are mixed.
            kinds = {type(level) for level in levels}
            plain = kinds <= {int, float} or kinds in ({bool}, {str})
            found[name] = (dim, levels if plain else list(map(text, levels)))
    return found


def write_stack(stack: Stack, path: Path) -> None:
    """Write a dataset as NetCDF 4, atomically."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        stack.dataset.to_netcdf(partial, engine="h5netcdf")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
