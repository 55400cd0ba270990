"""The source of a study: a file, a Python call, or a command line."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.model.errors import StudyError, UsageError
from packhorse.model.study import Study
from packhorse.project.sites import site_name
from packhorse.snapshot.project_files import find_root
from packhorse.study.from_python import make_study, plain_study
from packhorse.study.parse import default_name, parse_study
from packhorse.study.write import study_text
from packhorse.text.yaml import decode


class Source(Struct, frozen=True, kw_only=True):
    """A study, its text, and the folder its paths are relative to.

    `sources` are files, relative to the folder, from which its parameters were read or that made the study.
    """

    study: Study
    text: str
    folder: Path
    path: Path | None = None
    root: Path
    sources: tuple[str, ...] = ()

    @property
    def start(self) -> Path:
        """The folder in which tasks start, in the live project."""
        return Path(os.path.normpath(self.folder / self.study.directory))


def from_file(file: str | Path, site: str | None = None) -> Source:
    """Read a study file, with the settings that it has for a site (by name, or by the path of its file).

    Raises StudyError with file:line:column for anything wrong in it.
    """
    path = Path(file)
    if path.is_dir():
        path = path / "study.yaml"
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        beside = sorted(one.name for one in path.parent.glob("*.y*ml"))
        near = difflib.get_close_matches(path.name, beside, n=1, cutoff=0.8)
        hint = f"there is {near[0]}" if near else "to write one: packhorse init SCRIPT"
        raise UsageError(f"no study {path}", hint) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    folder = path.resolve().parent
    text = decode(raw, str(path))
    _check_filled_in(text, path)
    read = Reader(folder)
    study = parse_study(
        text, path=str(path), read=read, site=_named(site, folder), called=_typed_or_resolved(path)
    )
    sources = tuple(read.names)
    return Source(
        study=study, text=text, folder=folder, path=path.resolve(), root=_root(folder), sources=sources
    )


def _check_filled_in(text: str, path: Path) -> None:
    """Refuse a draft whose author has not written the values that `packhorse init` could not know."""
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*([\w.-]+):\s*\[?CHANGE-ME\b", line):
            message = f"'{match[1]}' has no value yet: CHANGE-ME is where yours belongs."
            raise StudyError(
                message, f"Write a value or a list, such as {match[1]}: [1, 2]", f"{path}:{number}"
            )


def _typed_or_resolved(path: Path) -> str:
    """Return the path that names a study without a name: the absolute one, so that typing it otherwise changes nothing.

    Before 2026-11-29 a study.yaml that was typed without its folder was called study; such a run goes on.
    """
    absolute = path.resolve()
    older = absolute.parent / "runs" / "study"
    newer = absolute.parent / "runs" / default_name(str(absolute))
    return (
        "study.yaml" if absolute.stem == "study" and older.exists() and not newer.exists() else str(absolute)
    )


def from_mapping(keys: dict[str, Any], folder: Path) -> Source:
    """Make a study from plain values, as `map` and `run SCRIPT` do."""
    folder = folder.resolve()
    text, read = study_text(keys), Reader(folder)
    try:
        study = parse_study(text, path="the study", read=read)
    except StudyError as error:
        # Line and column are of a text that the user did not write.
        raise StudyError(error.message, error.hint) from None
    return Source(study=study, text=text, folder=folder, root=_root(folder), sources=tuple(read.names))


def from_keywords(
    keywords: dict[str, Any],
    folder: Path,
    path: Path,
    *,
    site: str | None = None,
    sources: Iterable[str] = (),
) -> Source:
    """Make a study from Python values; `path` names it where no name is given, `sources` are the files that made it."""
    folder = folder.resolve()
    read = Reader(folder)
    study = make_study(path=str(path), read=read, site=_named(site, folder), **keywords)
    text = study_text({"name": study.name, **plain_study(**keywords)})
    return from_study(study, text, folder, (*sources, *read.names))


def from_study(study: Study, text: str, folder: Path, sources: Iterable[str] = ()) -> Source:
    """Return the source of a study that is already checked."""
    folder = folder.resolve()
    return Source(study=study, text=text, folder=folder, root=_root(folder), sources=tuple(sources))


def _named(site: str | None, folder: Path) -> str | None:
    return None if site is None else site_name(site, folder)


def _root(folder: Path) -> Path:
    return find_root(folder)


class Reader:
    """Reads files beside a study, and remembers their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []

    def __call__(self, name: str) -> bytes:
        """Return a file's bytes."""
        path = self.folder / name
        if path.is_dir():
            raise StudyError(f"{name} is a folder, not a file")
        self.names.append(name)
        return path.read_bytes()
