"""Where a study comes from: a file, a Python call, or one line of the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.model.errors import StudyError, UsageError
from packhorse.model.study import Study


class Source(Struct, frozen=True, kw_only=True):
    """A study, its text, and the folder its paths are relative to."""

    study: Study
    text: str
    folder: Path
    path: Path | None = None
    root: Path


def from_file(said: str | Path, site: str | None = None) -> Source:
    """Read a study file; raise StudyError with file:line:column for anything wrong in it."""
    from packhorse.study.parse import parse_study
    from packhorse.study.yaml import decode

    path = Path(said)
    if path.is_dir():
        path = path / "study.yaml"
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        hint = "packhorse init SCRIPT writes one"
        raise UsageError(f"no study {path}", hint) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    folder = path.resolve().parent
    text = decode(raw, str(path))
    study = parse_study(text, path=str(path), read=reader(folder), site=site)
    return Source(study=study, text=text, folder=folder, path=path.resolve(), root=_root(folder))


def from_mapping(said: dict[str, Any], folder: Path) -> Source:
    """Make a study of plain values, as `map` and `run SCRIPT` do."""
    from packhorse.study.parse import parse_study
    from packhorse.study.write import study_text

    text = study_text(said)
    study = parse_study(text, path="the study", read=reader(folder))
    return Source(study=study, text=text, folder=folder.resolve(), root=_root(folder.resolve()))


def from_study(study: Study, text: str, folder: Path) -> Source:
    """Take a study that was made in Python."""
    return Source(study=study, text=text, folder=folder.resolve(), root=_root(folder.resolve()))


def _root(folder: Path) -> Path:
    from packhorse.run.projectfiles import find_root

    return find_root(folder)


def reader(folder: Path) -> Any:
    """Return how the study stage reads files beside a study."""

    def read(name: str) -> bytes:
        path = folder / name
        if path.is_dir():
            raise StudyError(f"{name} is a folder; a file was expected")
        return path.read_bytes()

    return read
