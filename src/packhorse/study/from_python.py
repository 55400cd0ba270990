"""Make a study from Python values, with the same checks as for a study file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packhorse.model.space import decimal
from packhorse.model.study import Study
from packhorse.study.files import Read
from packhorse.study.parse import build
from packhorse.text.node import Node, check_text, plain, refuse

MAX_DEPTH = 40
_MOST_BITS = 1000  # of an integer, far above what a level can have


def make_study(
    *, path: str = "study.py", read: Read | None = None, site: str | None = None, **keywords: Any
) -> Study:
    """Return a study from the keys of a study file, given as keyword arguments.

    Values may be Python values, NumPy scalars and arrays, ranges, and for `function` a function. Without `read`,
    keys that name other files are refused. Raise StudyError.
    """
    return build(_root(keywords), path=path, read=read or _no_files, site=site)


def plain_study(**keywords: Any) -> dict[str, Any]:
    """Return the keyword arguments as plain values of a study file."""
    values: dict[str, Any] = plain(_root(keywords))
    return values


def _root(keywords: Mapping[str, Any]) -> Node:
    given = dict(keywords)
    if callable(given.get("function")):
        given["function"] = _function_name(given["function"])
    # None means not given, so that wrappers can pass on defaults of their own.
    return Node({key: _node(value, key, 0) for key, value in given.items() if value is not None})


def _no_files(_path: str) -> bytes:
    raise OSError("a study without a folder cannot read other files")


def _function_name(function: Any) -> str:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or module == "__main__" or "<" in name or not name:
        hint = "Define it at the top level of a module beside your script, and pass function='module:name'."
        message = (
            "Tasks cannot import this function: it is defined in the running script or in another function."
        )
        refuse("", message, hint)
    return f"{module}:{name}"


def _node(value: Any, name: str, depth: int) -> Node:
    """Return a value as a Node; `name` is its name in messages."""
    if depth > MAX_DEPTH:
        refuse("", f"'{name}' is nested more than {MAX_DEPTH} levels deep.", "Use fewer levels.")
    value = _python(value)
    if isinstance(value, Mapping):
        items = {str(key): _node(child, str(key), depth + 1) for key, child in value.items()}
        return Node(items)
    if isinstance(value, range):
        return _node({"range": [value.start, value.stop, value.step]}, name, depth + 1)
    if isinstance(value, list | tuple):
        return Node([_node(child, name, depth + 1) for child in value])
    return _scalar(value, name)


def _scalar(value: Any, name: str) -> Node:
    if isinstance(value, str):
        text = check_text(str(value), "")
        return Node(text, text=text, quoted=True)
    if isinstance(value, bool) or value is None:
        return Node(value, text={True: "true", False: "false", None: "null"}[value])
    if isinstance(value, int):
        return Node(int(value), text=_digits(int(value), name))
    if not isinstance(value, float):
        hint = "Allowed: numbers, strings, True, False, None, lists, dicts, ranges and arrays."
        refuse("", f"'{name}' contains a {type(value).__name__}, which a study cannot contain.", hint)
    return Node(float(value), text=decimal(float(value)))


def _digits(value: int, name: str) -> str:
    if value.bit_length() > _MOST_BITS:
        message = f"'{name}' contains an integer of more than {_MOST_BITS:,} bits."
        refuse("", message, "Pass a smaller one, or a string.")
    return str(value)


def _python(value: Any) -> Any:
    """Return the Python value of an array, NumPy scalar, path or time span; other values unchanged."""
    if isinstance(value, str | bool | int | float | list | tuple | Mapping | range) or value is None:
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "to_list"):
        return value.to_list()
    if hasattr(value, "total_seconds"):
        return f"{value.total_seconds():.6f} s"
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    return value
