"""Imports of a study's Python files, from their source: modules, and the oldest Python that can run the files."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from packhorse.model.study import Study

OLDEST, NEWEST = 6, sys.version_info[1]
# Modules that the standard library gained after 3.6 (docs.python.org, "New in version"), with the minor version.
ADDED_MODULES = {"dataclasses": 7, "contextvars": 7, "graphlib": 9, "zoneinfo": 9, "tomllib": 11}
MAX_FILES = 2000  # of a project that are read
BUNDLED = {"packhorse"}  # part of every run
# An import within a `try` that catches one of these is optional.
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception"}


class PythonImports(Struct, frozen=True, kw_only=True):
    """Third-party modules that a study imports, and the files that were read."""

    files: tuple[str, ...] = ()  # the first is the script
    modules: tuple[str, ...] = ()  # neither the project's nor the standard library's
    certain: tuple[str, ...] = ()  # of the modules, those whose import cannot fail without ending the script
    oldest: tuple[int, int] = (3, OLDEST)


def python_imports(study: Study, folder: Path, root: Path) -> PythonImports:
    """Return the imports of a study's script, or its function's module, and of all project files that it imports."""
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
        module = _find_module(study.function.partition(":")[0], places)
        if module:
            yield module
        return
    tokens = re.split(r"[\s;&|()'\"]+", study.shell) if study.shell else list(study.command)
    for before, word in zip(["", *tokens], tokens, strict=False):
        if before == "-m" and (module := _find_module(word, places)):
            yield module
        elif word.endswith(".py") and (folder / word).is_file():
            yield folder / word


def _find_module(name: str, places: Iterable[Path]) -> Path | None:
    """Return the file of a project's module: of a package its __main__.py or its __init__.py."""
    parts = name.split(".")
    for place in places:
        inside = place.joinpath(*parts)
        for path in (inside.with_name(inside.name + ".py"), inside / "__main__.py", inside / "__init__.py"):
            if path.is_file():
                return path
    return None


class _Reader:
    """Reader of a script and of the project files that it imports."""

    def __init__(self, places: Iterable[Path]) -> None:
        self.places = list(dict.fromkeys(places))
        self.seen: dict[Path, None] = {}
        self.modules: set[str] = set()
        self.certain: set[str] = set()
        self.oldest = OLDEST

    def read(self, path: Path, *, certain: bool) -> None:
        """Read a file; ignore one that cannot be parsed, since Python itself will report it."""
        if path in self.seen or len(self.seen) >= MAX_FILES:
            return
        self.seen[path] = None
        try:
            text = path.read_text("utf-8")
            tree = ast.parse(text)
        except (OSError, ValueError, SyntaxError):
            return
        self.oldest = max(self.oldest, _oldest_minor(text))
        for name, level, sure in _imports(tree.body, certain=True):
            self._add(name, level, path, certain=certain and sure)

    def _add(self, name: str, level: int, path: Path, *, certain: bool) -> None:
        top = name.partition(".")[0]
        if level:
            base = path.parent if level == 1 else path.parents[level - 1]
            module = _find_module(name, [base]) if name else None
            if module:
                self.read(module, certain=certain)
            return
        parts = name.split(".")
        project_files = [
            _find_module(".".join(parts[:length]), self.places) for length in range(len(parts), 0, -1)
        ]
        if any(project_files):
            for file in filter(None, project_files):
                self.read(file, certain=certain)
        elif top in ADDED_MODULES:
            self.oldest = max(self.oldest, ADDED_MODULES[top] if certain else OLDEST)
        elif top not in sys.stdlib_module_names and top not in BUNDLED and not self._is_folder(top):
            self.modules.add(top)
            if certain:
                self.certain.add(top)

    def _is_folder(self, top: str) -> bool:
        """Return whether a name is a folder of modules without __init__.py."""
        return any(next((place / top).glob("*.py"), None) is not None for place in self.places)


def _imports(body: Iterable[ast.stmt], *, certain: bool) -> Iterator[tuple[str, int, bool]]:
    """Yield (module, level, whether the import is certain) of every import in a body."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0, certain) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _from_imports(node, certain=certain)
        elif isinstance(node, ast.Try):
            caught = any(_exception_names(handler.type) & IMPORT_ERRORS for handler in node.handlers)
            yield from _imports(node.body, certain=certain and not caught)
            for handler in node.handlers:
                yield from _imports(handler.body, certain=False)
            yield from _imports([*node.orelse, *node.finalbody], certain=certain)
        else:
            inner = [child for child in ast.walk(node) if isinstance(child, ast.Import | ast.ImportFrom)]
            yield from _imports(inner, certain=certain and _is_main(node))


def _from_imports(node: ast.ImportFrom, *, certain: bool) -> Iterator[tuple[str, int, bool]]:
    module = node.module or ""
    yield module, node.level, certain
    for alias in node.names:  # each may be a module itself
        member = f"{module}.{alias.name}" if module else alias.name
        if node.level or module.partition(".")[0] not in sys.stdlib_module_names:
            yield member, node.level, False


def _exception_names(node: ast.expr | None) -> set[str]:
    """Return the names of the exceptions that a handler catches; a bare `except` catches all."""
    if node is None:
        return {"Exception"}
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.dump(node.test)


def _oldest_minor(text: str) -> int:
    """Return the oldest minor version of Python 3 that can parse a source, as far as `ast` knows."""
    for minor in range(OLDEST, NEWEST):
        try:
            ast.parse(text, feature_version=(3, minor))
        except SyntaxError:
            continue
        return minor
    return NEWEST
