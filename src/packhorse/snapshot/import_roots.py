"""Folders of a snapshot to prepend to PYTHONPATH, so that tasks import it instead of the live project."""

from __future__ import annotations

import ast
import os
import posixpath
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

# PYTHONPATH precedes the standard library: a file random.py in the root would break every import of random. These few
# modules of the standard library are not imported in practice, and projects often have a folder called test.
HARMLESS = {"test", "this", "antigravity", "idlelib", "lib2to3", "turtledemo"}
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


class _File(Protocol):
    @property
    def path(self) -> str: ...
    @property
    def kind(self) -> str: ...


def import_roots(files: Iterable[_File], folder: str, editable: Iterable[str] = ()) -> list[str]:
    """Return folders relative to the root ("." is the root itself), in search order.

    `folder` is the study's folder, relative to the root; `editable` are the folders of editable installs. From the
    study upwards, each level adds `src`, then the folder itself where it has packages or is a project. A folder
    with a module named like one of the standard library is left out, since it would shadow that module everywhere.
    """
    paths = {file.path for file in files if file.kind != "folder"}
    modules, packages = _importable(paths)
    roots: list[str] = []
    for base in _upward(folder):
        project = any(posixpath.normpath(posixpath.join(base, name)) in paths for name in PROJECT_FILES)
        source = posixpath.normpath(posixpath.join(base, "src"))
        if source in packages or (project and (source in modules or _has_inner(source, modules))):
            roots.append(source)
        if base == posixpath.normpath(folder) or base in packages or project:
            roots.append(base)
    roots.extend(posixpath.normpath(name) for name in editable)
    importable = {base: modules.get(base, set()) | packages.get(base, set()) for base in roots}
    return [base for base in dict.fromkeys(roots) if _is_safe(base, importable[base], modules)]


def _is_safe(base: str, names: set[str], modules: dict[str, set[str]]) -> bool:
    shadowed = (names & sys.stdlib_module_names) - HARMLESS
    return not shadowed and (bool(names) or _has_inner(base, modules))


def _importable(paths: set[str]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return {folder: names of its modules} and {folder: names of its packages}."""
    modules: dict[str, set[str]] = {}
    packages: dict[str, set[str]] = {}
    for path in paths:
        folder, name = posixpath.split(path)
        if name == "__init__.py" and folder:
            parent, package = posixpath.split(folder)
            packages.setdefault(parent or ".", set()).add(package)
        elif name.endswith((".py", ".so")):
            modules.setdefault(folder or ".", set()).add(name.partition(".")[0])
    return modules, packages


def _has_inner(base: str, modules: dict[str, set[str]]) -> bool:
    """Return whether a folder has modules below it, which may form a package without __init__.py."""
    return (base == "." and bool(modules)) or any(place.startswith(base + "/") for place in modules)


def _upward(folder: str) -> list[str]:
    base = posixpath.normpath(folder)
    chain = [base]
    while base not in (".", ""):
        base = posixpath.dirname(base) or "."
        chain.append(base)
    return chain


def editable_folders(python: str, root: Path) -> list[str]:
    """Return the folders of `root` that editable installs of an interpreter add to sys.path.

    This reads both styles: lines of .pth files, and the MAPPING of setuptools' __editable___NAME_finder.py.
    """
    root = root.resolve()
    folders: set[str] = set()
    for site in site_packages(python):
        lines = [line for file in site.glob("*.pth") for line in _text(file).splitlines()]
        places = [
            Path(site, line.strip())
            for line in lines
            if line.strip() and not line.startswith(("import", "#"))
        ]
        for finder in site.glob("__editable__*_finder.py"):
            places.extend(_finder_folders(_text(finder)))
        inside = (Path(os.path.realpath(place)) for place in places)
        folders |= {place.relative_to(root).as_posix() for place in inside if place.is_relative_to(root)}
    return sorted(name for name in folders if "site-packages" not in name and (root / name).is_dir())


def site_packages(python: str) -> list[Path]:
    """Return the site-packages folders of an interpreter, without starting it."""
    prefix = Path(python).parent.parent
    if not (prefix / "pyvenv.cfg").exists():
        prefix = Path(os.path.realpath(python)).parent.parent
    return sorted(prefix.glob("lib*/python3*/site-packages")) + sorted(
        prefix.glob("lib/python3*/dist-packages")
    )


def _finder_folders(finder: str) -> list[Path]:
    """Return the folders in the MAPPING of a finder's source."""
    match = re.search(r"^MAPPING[^=\n]*=\s*(\{.*\})\s*$", finder, re.MULTILINE)
    try:
        mapping = ast.literal_eval(match[1]) if match else {}
    except (ValueError, SyntaxError):
        return []
    # A package in a folder of another name cannot be found through sys.path, so it is left out.
    return [
        Path(place).parents[name.count(".")]
        for name, place in mapping.items()
        if Path(place).name.removesuffix(".py") == name.rpartition(".")[2]
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
