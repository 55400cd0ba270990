"""Plain forms of what functions and scripts give as results: data frames, series, arrays, dataclasses.

Labels become columns or names. Standard library only, Python 3.6: this file is copied to every run, beside task.py.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _fields(value: "Any") -> "dict[str, Any]":
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _frame(frame: "Any") -> "list[dict[str, Any]]":
    """Return the rows of a pandas frame; an index other than 0, 1, 2, ... becomes columns before the others."""
    names = [_name(column) for column in frame.columns]
    columns = [frame.iloc[:, at].tolist() for at in range(len(names))]
    labels = _labels(frame.index, names)
    for name, texts in reversed(list(labels.items())):
        names.insert(0, name)
        columns.insert(0, texts)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two columns of the data frame are named {twice!r}")
    return [dict(zip(names, row)) for row in zip(*columns)] if columns else []


def _series(series: "Any") -> "Any":
    """Return a series as {label: value}, or as rows where labels repeat or have levels, or as a list without labels."""
    labels = _labels(series.index, [])
    if not labels:
        return series.tolist()
    keys = [_name(label) for label in series.index.tolist()]
    if len(labels) > 1 or len(set(keys)) < len(keys):
        return _frame(series.to_frame(_name(series.name) if series.name is not None else "value"))
    return dict(zip(keys, series.tolist()))


def _labels(index: "Any", taken: "list[str]") -> "dict[str, list[Any]]":
    """Return {name: labels} of the levels of an index; nothing where it only counts 0, 1, 2, ..."""
    if index.names == [None] and index.tolist() == list(range(len(index))):
        return {}
    found: dict[str, list[Any]] = {}
    for level, name in enumerate(index.names):
        usual = "index" if len(index.names) == 1 else f"level_{level}"
        chosen = usual if name is None else _name(name)
        while chosen in taken or chosen in found:
            chosen += "_index"
        found[chosen] = index.get_level_values(level).tolist()
    return found


def _name(label: "Any") -> str:
    """Return a label as a name; the levels of one are joined by dots, as nested names are."""
    if isinstance(label, tuple):
        return ".".join(_name(part) for part in label if part != "")
    return label if isinstance(label, str) else str(label)


def _array(value: "Any") -> "Any":
    """Return a NumPy array or scalar; a structured array becomes rows."""
    names = getattr(getattr(value, "dtype", None), "names", None)
    if not names:
        return value.tolist()
    rows = [dict(zip(names, row)) for row in value.reshape(-1).tolist()]
    return rows if value.ndim else rows[0]


# Attributes of a value -> conversion to its plain form; the first match counts.
PLAIN: "tuple[tuple[tuple[str, ...], Callable[[Any], Any]], ...]" = (
    (("to_dicts",), lambda value: value.to_dicts()),  # polars frames
    (("columns", "iloc"), _frame),  # pandas frames
    (("iloc", "index"), _series),  # pandas series
    (("dims", "to_dataframe", "coords"), lambda value: _frame(_tabular(value))),  # xarray
    (("dtype", "tolist"), _array),  # NumPy
    (("tolist",), lambda value: value.tolist()),
    (("to_list",), lambda value: value.to_list()),  # polars series
    (("item",), lambda value: value.item()),  # a tensor of one element
    (("__dataclass_fields__",), _fields),
    (("isoformat",), lambda value: value.isoformat()),
    (("__fspath__",), os.fspath),
)


def _tabular(value: "Any") -> "Any":
    """Return an xarray object as a pandas frame; its coordinates are the index."""
    if not hasattr(value, "data_vars"):
        value = value.to_dataset(name=value.name or "value")
    return value.to_dataframe()


def plain(value: "Any") -> "Any":
    """Return the plain form of a value that JSON does not know: NumPy, dataclasses, data frames, paths, sets."""
    for names, convert in PLAIN:
        if all(hasattr(value, name) for name in names):
            found = convert(value)
            if type(found) is not type(value):
                return found
            return float(found)  # tolist() of numpy.longdouble returns itself
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(
        f"a result cannot hold a {type(value).__name__}: "
        "give numbers, text, lists, dicts, dataclasses or data frames"
    )
