"""Which files go along with a script that is submitted from a laptop: those that it names, and those that its user names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import UsageError
from packhorse.model.secrets import is_secret_file
from packhorse.remote.transfer import local_files
from packhorse.schedulers.script_headers import words

_PARTS = re.compile(
    r"[=<>;|&()`\"']+"
)  # what may stand before or behind a file's name in a word of the shell


class ScriptInputs(Struct, frozen=True, kw_only=True):
    """The files that go along, by their names in the job's folder, and what was left out with the reason."""

    files: dict[str, Path]
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(path.stat().st_size for path in self.files.values())


def script_inputs(text: str, root: Path, asked: Sequence[Path]) -> ScriptInputs:
    """Return what a script in `root` needs: each word of its commands that is a file there, and what was asked for.

    Folders go along only when they are asked for; keys and passwords never do.
    """
    files: dict[str, Path] = {}
    notes = []
    for name in dict.fromkeys(_named(text)):
        path = root / name
        if path.is_dir() and not (path / ".git").exists():
            if name.strip("./") and not any(_same(one, path) for one in asked):
                notes.append(f"{name} is a folder; if the job needs it: --with {name}")
        elif path.is_file():
            files[path.relative_to(root).as_posix()] = path
    for name, path in _asked(asked, root):
        files[name] = path
    secret = [name for name in files if is_secret_file(name)]
    if secret:
        notes.append(f"left here, since they look like keys or passwords: {', '.join(secret)}")
    return ScriptInputs(
        files={name: path for name, path in files.items() if name not in secret}, notes=tuple(notes)
    )


def _named(text: str) -> Iterator[str]:
    """Yield the relative paths that a script's commands may mean; most of them are none."""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for word in words(line):
            for part in (word, *_PARTS.split(word)):
                name = part.removeprefix("./").rstrip("/")
                if name and not name.startswith(("/", "-", "~", "$")) and ".." not in name.split("/"):
                    yield name


def _asked(asked: Iterable[Path], root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that the user named, by where they stand below `root`; those elsewhere by their own names."""
    for one in asked:
        if not one.exists():
            raise UsageError(f"{one} does not exist", "--with FILE names a file or folder that the job needs")
        full = one.absolute()
        inside = full.is_relative_to(root) and full != root
        name = full.relative_to(root).as_posix() if inside else one.resolve().name
        if one.is_dir():
            yield from (
                (f"{name}/{inner}", path)
                for inner, path in local_files(one)
                if ".git" not in Path(inner).parts
            )
        else:
            yield name, one


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
