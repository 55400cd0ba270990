"""What marks the root of a project, so that programs which search for it upwards find the working copy of a task."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packhorse.snapshot.code import SnapshotFile

# Files by which rprojroot, here, pyprojroot and the like know a root.
MARKS = (
    *(
        ".here",
        "*.Rproj",
        "DESCRIPTION",
        "renv.lock",
        "_quarto.yml",
        ".projectile",
        "remake.yml",
        "_targets.R",
    ),
    *("pyproject.toml", "setup.py", "setup.cfg", "environment.yml", "requirements.txt", ".project-root"),
)
LARGEST = 65_536  # bytes of a mark
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]{0,200}")
CONFIG = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"


def root_marks(
    root: Path, folder: Path, files: Iterable[SnapshotFile], git: Mapping[str, Any]
) -> tuple[SnapshotFile, ...]:
    """Return the marks of the project's root that its snapshot lacks; they belong to no digest.

    Git may ignore a mark, `code:` may leave it out, and a `.git` folder is never packed: a minimal one takes its place,
    which has the commit and the branch but no history. `git` are the facts of `record.git.git_state`.
    """
    packed = {file.path for file in files}
    marks = [mark for mark in _files(root, folder) if mark.path not in packed]
    if (root / ".git").exists():
        marks.extend(_repository(git))
    return tuple(marks)


def _files(root: Path, folder: Path) -> Iterator[SnapshotFile]:
    """Yield the marks of the study's folder and of all above it, up to the root."""
    places = [place for place in (folder, *folder.parents) if place.is_relative_to(root)]
    for place in places:
        for path in sorted(place.iterdir()):
            if any(fnmatch.fnmatchcase(path.name, mark) for mark in MARKS) and _is_small(path):
                yield SnapshotFile(
                    path=path.relative_to(root).as_posix(),
                    source=str(path),
                    kind="mark",
                    content=path.read_bytes(),
                )


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= LARGEST and os.access(path, os.R_OK)


def _repository(git: Mapping[str, Any]) -> Iterator[SnapshotFile]:
    """Yield a repository without history: `git rev-parse` finds its folder, commit and branch."""
    commit, branch = str(git.get("commit") or ""), str(git.get("branch") or "")
    known = COMMIT.fullmatch(commit) is not None
    named = BRANCH.fullmatch(branch) is not None and ".." not in branch and "//" not in branch
    reference = f"ref: refs/heads/{branch if named else 'main'}\n"
    head = f"{commit}\n" if known and not named else reference
    contents = {".git/HEAD": head.encode(), ".git/config": CONFIG}
    if known and named:
        contents[f".git/refs/heads/{branch}"] = f"{commit}\n".encode()
    for name in (".git/objects", ".git/refs", ".git/refs/heads"):
        yield SnapshotFile(path=name, source="", kind="folder", mode=0o755)
    for name, content in contents.items():
        yield SnapshotFile(path=posixpath.normpath(name), source="", kind="mark", content=content)
