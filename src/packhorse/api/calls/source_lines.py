"""Source lines of pickled functions, which the traceback of another process lacks.

cloudpickle leaves the names of files out, so that equal functions have equal pickles. This process has the names, and
`linecache` the lines, also those of the cells of a notebook.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

DYNAMIC = "<dynamic-code>"  # what cloudpickle has in the place of the name of a file
MOST = 1000  # functions that are remembered
_FRAME = re.compile(rf'  File "{DYNAMIC}", line ([0-9]+), in (.+)')

_files: dict[str, dict[tuple[str, int], str]] = {}  # by digest: the file of each name and line


def remember_lines(name: str, function: Callable[..., Any]) -> None:
    """Remember the files of a pickled function and of the functions of its script that it uses."""
    if name in _files:
        return
    if len(_files) >= MOST:
        _files.clear()
    files = _files[name] = {}
    for code in _codes(function):
        linecache.getlines(code.co_filename)  # as they are now
        for _, _, line in code.co_lines():
            if line is not None:
                files[code.co_name, line] = code.co_filename


def with_source_lines(text: str, name: str) -> str:
    """Return a traceback with the files and lines of the pickled function of this name."""
    files = _files.get(name)
    if not files or DYNAMIC not in text:
        return text
    found: list[str] = []
    for row in text.splitlines():
        match = _FRAME.fullmatch(row)
        file = files.get((match[2], int(match[1]))) if match else None
        if match is None or file is None:
            found.append(row)
            continue
        found.append(row.replace(DYNAMIC, file, 1))
        source = linecache.getline(file, int(match[1])).strip()
        if source:
            found.append(f"    {source}")
    return "".join(f"{row}\n" for row in found)


def _codes(function: object) -> Iterator[CodeType]:
    """Yield the code of a function, of those inside it, and of those of the same module that it names."""
    waiting, seen = [function], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, CodeType):
            yield value
            waiting += [one for one in value.co_consts if isinstance(one, CodeType)]
        elif isinstance(value, FunctionType):
            waiting += [value.__code__, getattr(value, "__wrapped__", None)]
            named = [value.__globals__.get(name) for name in value.__code__.co_names]
            waiting += [one for one in named if getattr(one, "__module__", None) == value.__module__]
        elif isinstance(value, type):
            waiting += [one for one in vars(value).values() if isinstance(one, FunctionType)]
        else:  # a method, or functools.partial
            waiting += [
                one for one in (getattr(value, "__func__", None), getattr(value, "func", None)) if one
            ]
