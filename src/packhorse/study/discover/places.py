"""The paths in the text of a script: absolute ones, and those that show from where it is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from msgspec import Struct

# Folders of the system, which every machine has.
SYSTEM = ("/dev/", "/proc/", "/sys/", "/usr/", "/bin/", "/etc/", "/opt/", "/tmp/", "/lib", "/sbin/")  # noqa: S108
_ABSOLUTE = re.compile(r"(?:~[\w.-]*/|\$\{?HOME\}?/|/(?:[\w.@+-]+/)+|[A-Za-z]:[\\/])[\w.@+ {}$%*-]*[^\s\"']*")
_LITERAL = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'")
_WORD = re.compile(r"[^\s\"'=;|&()<>:]+")
_RELATIVE = re.compile(r"(?:\.{1,2}/)*[\w][\w.+@-]*(?:/[\w.+@-]+)*/?", re.ASCII)


class AbsolutePath(Struct, frozen=True):
    """An absolute path in a script, and its line."""

    path: str
    line: int


def literals(source: str, suffix: str) -> list[tuple[int, str]]:
    """Return the texts in a script with their lines; in a shell script, its words."""
    if suffix == ".py":
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []
        return [
            (node.lineno, node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value
        ]
    found = []
    for number, line in enumerate(source.splitlines(), 1):
        if not line.lstrip().startswith("#"):
            pieces = _WORD.findall(line) if suffix in {".sh", ".bash"} else []
            found += [(number, double or single) for double, single in _LITERAL.findall(line)]
            found += [(number, word) for word in pieces]
    return found


def absolute_paths(texts: Iterable[tuple[int, str]]) -> list[AbsolutePath]:
    """Return the absolute paths among the texts of a script, without those of the system."""
    found: dict[str, AbsolutePath] = {}
    for line, text in texts:
        if _ABSOLUTE.fullmatch(text) and not text.startswith(SYSTEM):
            found.setdefault(text, AbsolutePath(text, line))
    return list(found.values())


def absolute_path_note(name: str, texts: Iterable[tuple[int, str]]) -> str:
    """Return what the author of a script with absolute paths must know; empty if it has none."""
    found = absolute_paths(texts)
    if not found:
        return ""
    shown = ", ".join(f"{path.path} (line {path.line})" for path in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return (
        f"{name} has absolute paths: {shown}{more}. Other machines do not have them, they are not in the snapshot,"
        " and all tasks write to the same files. Use paths relative to the study, and name large inputs under data:"
    )


def relative_paths(texts: Iterable[tuple[int, str]]) -> list[str]:
    """Return the texts that look like paths below some folder: with a slash, or a suffix."""
    names = [
        text
        for _, text in texts
        if _RELATIVE.fullmatch(text)
        and ("/" in text or re.search(r"\w\.[A-Za-z]\w*$", text))
        and len(text) < 200
    ]
    return list(dict.fromkeys(names))


def working_folder(paths: Iterable[str], ancestors: list[str], exists: Callable[[str, str], bool]) -> int:
    """Return in which of `ancestors`, from the script's folder upwards, the script is run.

    That is where most of its paths exist; of several such folders the nearest. `exists(folder, path)` looks for a file,
    or for the folder of one that the script writes.
    """
    counts = []
    for folder in ancestors:
        number = 0
        for path in paths:
            parent = PurePosixPath(path).parent.as_posix()
            if exists(folder, path) or (parent not in {".", ""} and exists(folder, parent)):
                number += 1
        counts.append(number)
    return max(range(len(ancestors)), key=lambda at: (counts[at], -at)) if any(counts) else 0


def relative_import(source: str) -> int:
    """Return how many folders above the script its relative imports reach, 0 if it has none."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)
