"""Input files of a script that is submitted from a laptop: those that its commands name, and those that its user names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import UsageError
from packhorse.model.secrets import is_secret_file
from packhorse.remote.transfer import local_files
from packhorse.schedulers.script_headers import words

# What may be before or after a file's name in a shell word.
_SEPARATORS = re.compile(r"[=<>;|&()`\"']+")


class ScriptInputs(Struct, frozen=True, kw_only=True):
    """The files to upload, by their names in the job's folder, and notes on files that are not uploaded."""

    files: dict[str, Path]
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(path.stat().st_size for path in self.files.values())


def script_inputs(text: str, root: Path, named: Sequence[Path]) -> ScriptInputs:
    """Return the inputs of a script in `root`: each word of its commands that is a file there, and the `named` paths.

    Folders are uploaded only where they are named; files that look like keys or passwords never are.
    """
    files: dict[str, Path] = {}
    notes = []
    for name in dict.fromkeys(_possible_names(text)):
        path = root / name
        if path.is_dir() and not (path / ".git").exists():
            if name.strip("./") and not any(other.resolve() == path.resolve() for other in named):
                notes.append(f"{name} is a folder and is not uploaded; if the job needs it: --with {name}")
        elif path.is_file():
            files[path.relative_to(root).as_posix()] = path
    files.update(_named_files(named, root))
    secret = [name for name in files if is_secret_file(name)]
    if secret:
        notes.append(f"not uploaded, since they look like keys or passwords: {', '.join(secret)}")
    return ScriptInputs(
        files={name: path for name, path in files.items() if name not in secret}, notes=tuple(notes)
    )


def _possible_names(text: str) -> Iterator[str]:
    """Yield the relative paths that a script's commands may name; most of them do not exist."""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for word in words(line):
            for part in (word, *_SEPARATORS.split(word)):
                name = part.removeprefix("./").rstrip("/")
                if name and not name.startswith(("/", "-", "~", "$")) and ".." not in name.split("/"):
                    yield name


def _named_files(named: Iterable[Path], root: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name in the job's folder, path) of the named files: the path below `root`, or the last part elsewhere."""
    for path in named:
        if not path.exists():
            raise UsageError(
                f"{path} does not exist", "--with FILE names a file or folder that the job needs"
            )
        full = path.absolute()
        inside = full.is_relative_to(root) and full != root
        name = full.relative_to(root).as_posix() if inside else path.resolve().name
        if not path.is_dir():
            yield name, path
            continue
        for inner, file in local_files(path):
            if ".git" not in Path(inner).parts:
                yield f"{name}/{inner}", file
