"""Which packages a study's tasks need elsewhere: its lock, or one that is made of what is installed here and kept."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Literal

from msgspec import Struct

from packhorse.model.errors import RunError
from packhorse.model.study import Environment
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.rundir.files import write_file
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
    """What is wanted of an environment: `lock` None where the standard library is enough.

    `minor` is the version of Python that fits best ("3.11"), `strict` where the user named it.
    """

    lock: Lock | None
    needs: PythonImports
    minor: str = ""
    strict: bool = False
    oldest: tuple[int, int] = (3, 6)
    notes: tuple[str, ...] = ()


def required_packages(
    source: Source, reporter: Reporter, *, lock: Literal["kept", "told", "none"]
) -> RequiredPackages:
    """Return what a study's tasks need; a lock is made, and kept beside the study, where there is none.

    A lock that is only to be told is not written; without one only the code is read. Raises RunError where a package that
    is imported cannot be had from an index.
    """
    study, folder, root = source.study, source.folder, source.root
    needs = python_imports(study, folder, root)
    said = re.fullmatch(r"python(3\.\d+)", study.command[0]) if study.command else None
    named = said[1] if said else pinned_python(folder, root)
    minor = named or _here(source)
    oldest = max(needs.oldest, oldest_python(folder, root) or needs.oldest)
    found, notes = _lock(source, needs, reporter, keep=lock == "kept") if lock != "none" else (None, ())
    return RequiredPackages(
        lock=found,
        needs=needs,
        minor=named or (found.python if found and found.python else minor),
        strict=bool(named),
        oldest=oldest,
        notes=notes,
    )


def _lock(
    source: Source, needs: PythonImports, reporter: Reporter, *, keep: bool
) -> tuple[Lock | None, tuple[str, ...]]:
    asked = source.study.environment.kind
    if asked == "uv":
        return uv_lock(_project(source)), ()
    if asked == "none" and needs.files and not needs.modules:
        return None, ()  # the standard library is enough, whatever the project has a lock for
    lock, notes, made = _made(source, needs, find_lock(source.folder, source.root))
    if made and lock is not None and keep:
        write_file(Path(lock.path), lock.text, 0o644)
        count = counted(lock.count, "package")
        reporter.say(
            f"made {Path(lock.path).name} beside the study: the {count} that its code needs, as they are here"
        )
    return lock, notes


def _here(source: Source) -> str:
    """Return the version of the Python that runs the study here: 3.11."""
    from packhorse.project.cache_dir import cache_dir
    from packhorse.record.packages import python_packages

    python = _interpreter(source)
    found = python_packages(python, os.environ, cache_dir()).get("version", "") if python else ""
    return ".".join(found.split(".")[:2]) if found else f"{sys.version_info[0]}.{sys.version_info[1]}"


def providing_packages(source: Source, modules: list[str]) -> dict[str, list[str]]:
    """Return {module: packages} for modules that something installed here brings."""
    from packhorse.record.pins import installed_packages, providers

    python = _interpreter(source)
    return providers(installed_packages(python, os.environ) if python else {}, modules)


def _interpreter(source: Source) -> str:
    """Return the Python that runs the study here, "" where there is none."""
    from packhorse.runtime.interpreter import resolve

    if source.study.environment.kind == "uv":
        python = _project(source) / ".venv" / "bin" / "python"
        return str(python) if python.exists() else ""
    # An interpreter that the study names is one of the site.
    said = source.study.environment
    try:
        return resolve(Environment() if said.kind == "python" else said, source.folder, env=os.environ).python
    except RunError:
        return ""


def _project(source: Source) -> Path:
    word = source.study.environment.path
    start = source.folder if word in {"", ".", "true"} else (source.folder / word)
    return next((place for place in (start, *start.parents) if (place / "uv.lock").is_file()), start)


def _made(
    source: Source, needs: PythonImports, lock: Lock | None
) -> tuple[Lock | None, tuple[str, ...], bool]:
    """Return a lock that covers what is imported: the one found, or one made (True) of what is here."""
    before = locked_modules(lock) if lock is not None else []
    new = set(needs.modules) - set(before or ())
    if lock is not None and (before is None or not new):
        return lock, (), False
    if not needs.modules and source.study.environment.kind == "none":
        return lock, (), False  # a program of which nothing could be read
    from packhorse.record.pins import installed_packages, pin_packages

    python = _interpreter(source)
    found = installed_packages(python, os.environ) if python else {}
    named, file = unpinned_names(source.folder, source.root)
    modules = {*needs.modules, *(before or ())}
    pins = pin_packages(found, modules, named, source.root)
    if pins.only_here:
        raise RunError(
            f"these packages are only on this machine: {'; '.join(pins.only_here)}",
            "put their code beside the study, or publish them and name them in a requirements.txt with their versions",
        )
    notes = pins.notes
    if lost := [name for name in needs.certain if name in pins.unknown]:
        notes += (f"{', '.join(lost)}: not installed here, so nobody knows which package brings it",)
    if not pins.lines or (lock is not None and new <= set(pins.unknown)):
        return lock, notes, False
    why = f"from {python}" + (f" and {file}" if named else "")
    known = sorted(modules - set(pins.unknown))
    return make_lock(source.folder, pins.python, known, list(pins.lines), why), notes, True
