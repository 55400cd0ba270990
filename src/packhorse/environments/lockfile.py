"""The packages that a study's tasks need on a site: of its lock, or of one made from what is installed here."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Literal

from msgspec import Struct

from packhorse.model.errors import RunError
from packhorse.model.study import Environment
from packhorse.project.cache_dir import cache_dir
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.record.packages import python_packages
from packhorse.record.pins import InstalledPackages, installed_packages, pin_packages, providers
from packhorse.rundir.files import write_file
from packhorse.runtime.interpreter import resolve
from packhorse.runtime.package_lock import (
    Lock,
    find_lock,
    locked_modules,
    make_lock,
    oldest_python,
    pinned_python,
    unpinned_names,
    uv_lock,
)
from packhorse.snapshot.python_imports import PythonImports, python_imports
from packhorse.text.amounts import counted


class RequiredPackages(Struct, frozen=True, kw_only=True):
    """The packages and the Python that tasks need; `lock` is None where the standard library is enough.

    `minor` is the version of Python that fits best ("3.11"), `strict` where the user named it.
    """

    lock: Lock | None
    needs: PythonImports
    minor: str = ""
    strict: bool = False
    oldest: tuple[int, int] = (3, 6)
    notes: tuple[str, ...] = ()


def required_packages(
    source: Source, reporter: Reporter, *, lock: Literal["write", "make", "none"]
) -> RequiredPackages:
    """Return what a study's tasks need; where the study has no lock, one is made from what is installed here.

    `lock` says whether a new lock is written beside the study, only made, or none is used. Raises RunError where a
    package that is imported exists only on this machine.
    """
    study, folder, root = source.study, source.folder, source.root
    needs = python_imports(study, folder, root)
    match = re.fullmatch(r"python(3\.\d+)", study.command[0]) if study.command else None
    named = match[1] if match else pinned_python(folder, root)
    here = _python_here(source)
    oldest = max(needs.oldest, oldest_python(folder, root) or needs.oldest)
    used, notes = _lock(source, needs, reporter, write=lock == "write") if lock != "none" else (None, ())
    return RequiredPackages(
        lock=used,
        needs=needs,
        minor=named or (used.python if used and used.python else here),
        strict=bool(named),
        oldest=oldest,
        notes=notes,
    )


def _lock(
    source: Source, needs: PythonImports, reporter: Reporter, *, write: bool
) -> tuple[Lock | None, tuple[str, ...]]:
    """Return the lock of a study, and notes on it."""
    kind = source.study.environment.kind
    if kind == "uv":
        return uv_lock(_project(source)), ()
    if kind == "none" and needs.files and not needs.modules:
        return None, ()  # the standard library is enough, whatever lock the project has
    lock, notes, made = _covering_lock(source, needs, find_lock(source.folder, source.root))
    if made and lock is not None and write:
        write_file(Path(lock.path), lock.text, 0o644)
        count = counted(lock.count, "package")
        reporter.say(
            f"wrote {Path(lock.path).name} beside the study: {count} that its code needs, in the versions installed here"
        )
    return lock, notes


def _python_here(source: Source) -> str:
    """Return the version of the Python that runs the study on this machine, such as 3.11."""
    python = _interpreter(source)
    version = python_packages(python, os.environ, cache_dir()).version if python else None
    return ".".join(version.split(".")[:2]) if version else f"{sys.version_info[0]}.{sys.version_info[1]}"


def providing_packages(source: Source, modules: list[str]) -> dict[str, list[str]]:
    """Return {module: packages that provide it} for modules that are installed here."""
    python = _interpreter(source)
    return providers(installed_packages(python, os.environ) if python else InstalledPackages(), modules)


def _interpreter(source: Source) -> str:
    """Return the Python that runs the study on this machine, or ""."""
    if source.study.environment.kind == "uv":
        python = _project(source) / ".venv" / "bin" / "python"
        return str(python) if python.exists() else ""
    environment = source.study.environment
    if environment.kind == "python":  # it names an interpreter of the site
        environment = Environment()
    try:
        return resolve(environment, source.folder, env=os.environ).python
    except RunError:
        return ""


def _project(source: Source) -> Path:
    """Return the folder with the project's uv.lock."""
    path = source.study.environment.path
    start = source.folder if path in {"", ".", "true"} else (source.folder / path)
    return next((place for place in (start, *start.parents) if (place / "uv.lock").is_file()), start)


def _covering_lock(
    source: Source, needs: PythonImports, lock: Lock | None
) -> tuple[Lock | None, tuple[str, ...], bool]:
    """Return a lock that covers all imports, notes, and whether it was made now from what is installed here."""
    before = locked_modules(lock) if lock is not None else []
    new = set(needs.modules) - set(before or ())
    if lock is not None and (before is None or not new):
        return lock, (), False
    if not needs.modules and source.study.environment.kind == "none":
        return lock, (), False  # a program whose imports are not known
    python = _interpreter(source)
    installed = installed_packages(python, os.environ) if python else InstalledPackages()
    named, file = unpinned_names(source.folder, source.root)
    modules = {*needs.modules, *(before or ())}
    pins = pin_packages(installed, modules, named, source.root)
    if pins.only_here:
        raise RunError(
            f"these packages exist only on this machine: {'; '.join(pins.only_here)}",
            "put their code beside the study, or publish them and list them in a requirements.txt with their versions",
        )
    notes = pins.notes
    if unknown := [name for name in needs.certain if name in pins.unknown]:
        notes += (f"{', '.join(unknown)}: not installed here, so the package that provides it is not known",)
    if not pins.lines or (lock is not None and new <= set(pins.unknown)):
        return lock, notes, False
    why = f"from {python}" + (f" and {file}" if named else "")
    known = sorted(modules - set(pins.unknown))
    return make_lock(source.folder, pins.python, known, list(pins.lines), why), notes, True
