"""A study from Python values, by the same checks as a study from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packhorse.model.study import Study
from packhorse.study.parse import build
from packhorse.study.reading import Read
from packhorse.text.node import Node, check_text, plain, refuse

DEEPEST = 40


def make_study(
    *, path: str = "study.py", read: Read | None = None, site: str | None = None, **keywords: Any
) -> Study:
    """Return a study from the keys of a study file, given as keywords.

    Values may be Python's, NumPy's scalars and arrays, ranges, and for `function` a function itself.
    Without `read`, keys that name other files are refused.
    """
    return build(_whole(keywords), path=path, read=read or _no_files, site=site)


def plain_study(**keywords: Any) -> dict[str, Any]:
    """Return the same keywords as the plain values of a study file."""
    found: dict[str, Any] = plain(_whole(keywords))
    return found


def _whole(keywords: Mapping[str, Any]) -> Node:
    given = dict(keywords)
    if callable(given.get("function")):
        given["function"] = _function_name(given["function"])
    # A keyword that is None was not given; this lets wrappers pass their own defaults on.
    return Node({key: _node(value, key, 0) for key, value in given.items() if value is not None})


def _no_files(path: str) -> bytes:
    raise OSError(f"files are not read here: {path}")


def _function_name(function: Any) -> str:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or module == "__main__" or "<" in name or not name:
        hint = "Put it into a module beside your script, at the top level, and write function='module:name'."
        refuse(
            "",
            "A task cannot import this function: it is in the running script, or inside another function.",
            hint,
        )
    return f"{module}:{name}"


def _node(value: Any, place: str, depth: int) -> Node:
    """Return a value as a Node; `place` names it in messages."""
    if depth > DEEPEST:
        refuse("", f"'{place}' is nested more than {DEEPEST} levels deep.", "Flatten it.")
    value = _python(value)
    if isinstance(value, Mapping):
        items = {str(key): _node(child, str(key), depth + 1) for key, child in value.items()}
        return Node(items)
    if isinstance(value, range):
        return _node({"range": [value.start, value.stop, value.step]}, place, depth + 1)
    if isinstance(value, list | tuple):
        return Node([_node(child, place, depth + 1) for child in value])
    return _scalar(value, place)


def _scalar(value: Any, place: str) -> Node:
    if isinstance(value, str):
        text = check_text(str(value), "")
        return Node(text, text=text, quoted=True)
    if isinstance(value, bool) or value is None:
        return Node(value, text={True: "true", False: "false", None: "null"}[value])
    if isinstance(value, int):
        return Node(int(value), text=_digits(int(value), place))
    if not isinstance(value, float):
        hint = "Give numbers, texts, True, False, None, lists, dicts, ranges or arrays."
        refuse("", f"'{place}' holds a {type(value).__name__}, which has no place in a study.", hint)
    return Node(float(value), text=repr(float(value)))


def _digits(value: int, place: str) -> str:
    if value.bit_length() > 1000:
        refuse("", f"'{place}' holds an integer of more than 300 digits.", "Give a smaller one, or a text.")
    return str(value)


def _python(value: Any) -> Any:
    """Return arrays as lists, NumPy scalars, paths and time spans as Python's own values."""
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
