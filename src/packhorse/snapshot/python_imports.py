"""What a study's Python files need, by reading them: the modules they import, and the oldest Python they can be for."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from packhorse.model.study import Study

OLDEST, NEWEST = 6, sys.version_info[1]
# Modules that came to the standard library after 3.6 (docs.python.org, "New in version").
CAME = {"dataclasses": 7, "contextvars": 7, "graphlib": 9, "zoneinfo": 9, "tomllib": 11}
MOST_FILES = 2000  # of a project that are read
OURS = {"packhorse"}  # comes along with every run
# Imports that only hold elsewhere, or are made good where they fail.
CATCHES = {"ImportError", "ModuleNotFoundError", "Exception"}


class PythonImports(Struct, frozen=True, kw_only=True):
    """`modules` are imported and are neither the project's nor Python's; `certain` are those without which nothing runs."""

    files: tuple[str, ...] = ()  # read, the first is the script
    modules: tuple[str, ...] = ()
    certain: tuple[str, ...] = ()
    oldest: tuple[int, int] = (3, OLDEST)


def python_imports(study: Study, folder: Path, root: Path) -> PythonImports:
    """Return what the script (or the function's module) of a study needs, and all of the project that it imports."""
    places = list(dict.fromkeys([folder, folder / "src", root, root / "src"]))
    first = [path for path in _scripts(study, folder, places) if path.suffix == ".py"]
    reader = _Reader([*(path.parent for path in first), *places])
    for path in first:
        reader.read(path, certain=True)
    return PythonImports(
        files=tuple(str(path) for path in reader.seen),
        modules=tuple(sorted(reader.modules)),
        certain=tuple(sorted(reader.certain)),
        oldest=(3, reader.oldest),
    )


def _scripts(study: Study, folder: Path, places: Iterable[Path]) -> Iterator[Path]:
    if study.function:
        found = _module(study.function.partition(":")[0], places)
        if found:
            yield found
        return
    words = re.split(r"[\s;&|()'\"]+", study.shell) if study.shell else list(study.command)
    for before, word in zip(["", *words], words, strict=False):
        if before == "-m" and (named := _module(word, places)):
            yield named
        elif word.endswith(".py") and (folder / word).is_file():
            yield folder / word


def _module(name: str, places: Iterable[Path]) -> Path | None:
    """Return the file of a module of the project; of a package what it is when it is imported, or run by -m."""
    parts = name.split(".")
    for place in places:
        inside = place.joinpath(*parts)
        for path in (inside.with_name(inside.name + ".py"), inside / "__main__.py", inside / "__init__.py"):
            if path.is_file():
                return path
    return None


class _Reader:
    """Reads a script and what it imports of the project."""

    def __init__(self, places: Iterable[Path]) -> None:
        self.places = list(dict.fromkeys(places))
        self.seen: dict[Path, None] = {}
        self.modules: set[str] = set()
        self.certain: set[str] = set()
        self.oldest = OLDEST

    def read(self, path: Path, *, certain: bool) -> None:
        """Read a file; what cannot be read is left to Python itself to complain of."""
        if path in self.seen or len(self.seen) >= MOST_FILES:
            return
        self.seen[path] = None
        try:
            text = path.read_text("utf-8")
            tree = ast.parse(text)
        except (OSError, ValueError, SyntaxError):
            return
        self.oldest = max(self.oldest, _oldest(text))
        for name, level, sure in _imports(tree.body, certain=True):
            self._take(name, level, path, certain=certain and sure)

    def _take(self, name: str, level: int, path: Path, *, certain: bool) -> None:
        top = name.partition(".")[0]
        if level:
            base = path.parent if level == 1 else path.parents[level - 1]
            found = _module(name, [base]) if name else None
            if found:
                self.read(found, certain=certain)
            return
        parts = name.split(".")
        own = [_module(".".join(parts[:length]), self.places) for length in range(len(parts), 0, -1)]
        if any(own):
            for one in filter(None, own):
                self.read(one, certain=certain)
        elif top in CAME:
            self.oldest = max(self.oldest, CAME[top] if certain else OLDEST)
        elif top not in sys.stdlib_module_names and top not in OURS and not self._folder(top):
            self.modules.add(top)
            if certain:
                self.certain.add(top)

    def _folder(self, top: str) -> bool:
        """Tell whether a name is a folder of modules without __init__.py."""
        return any(next((place / top).glob("*.py"), None) is not None for place in self.places)


def _imports(body: Iterable[ast.stmt], *, certain: bool) -> Iterator[tuple[str, int, bool]]:
    """Yield (module, level, whether it is imported in any case) of every import in a body."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0, certain) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _from(node, certain=certain)
        elif isinstance(node, ast.Try):
            caught = any(_names(handler.type) & CATCHES for handler in node.handlers)
            yield from _imports(node.body, certain=certain and not caught)
            for handler in node.handlers:
                yield from _imports(handler.body, certain=False)
            yield from _imports([*node.orelse, *node.finalbody], certain=certain)
        else:
            inner = [one for one in ast.walk(node) if isinstance(one, ast.Import | ast.ImportFrom)]
            yield from _imports(inner, certain=certain and _is_main(node))


def _from(node: ast.ImportFrom, *, certain: bool) -> Iterator[tuple[str, int, bool]]:
    module = node.module or ""
    yield module, node.level, certain
    for alias in node.names:  # which may be modules themselves
        inside = f"{module}.{alias.name}" if module else alias.name
        if node.level or module.partition(".")[0] not in sys.stdlib_module_names:
            yield inside, node.level, False


def _names(node: ast.expr | None) -> set[str]:
    """Return the exceptions that a handler catches; one that says none catches all."""
    if node is None:
        return {"Exception"}
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.dump(node.test)


def _oldest(text: str) -> int:
    """Return the minor version from which on Python can read a source, as far as the parser tells."""
    for minor in range(OLDEST, NEWEST):
        try:
            ast.parse(text, feature_version=(3, minor))
        except SyntaxError:
            continue
        return minor
    return NEWEST
