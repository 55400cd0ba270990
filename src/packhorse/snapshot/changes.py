"""What differs between a packed snapshot and the project as it is now."""

from __future__ import annotations

import difflib
import hashlib
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from packhorse.snapshot.code import SnapshotFile, is_document, printable
from packhorse.snapshot.kinds import is_byproduct, is_source
from packhorse.snapshot.snapshot import MARK

DIFF_ROWS = 6  # changed rows in the diff of one file
ROW = 100  # characters of a row
LARGEST = 1 << 20  # bytes of a file that is compared by rows

How = Literal["new", "removed", "changed"]
SENTENCES: dict[How, str] = {"new": "is new", "removed": "was removed", "changed": "changed"}


class FileChange(Struct, frozen=True, kw_only=True, order=True):
    """One file that differs; `path` is relative to the root of the snapshot, `source` its place now."""

    path: str
    how: How
    source: str = ""

    def __str__(self) -> str:
        return f"{printable(self.path)} {SENTENCES[self.how]}"


def file_changes(
    tar_path: Path, files: Iterable[SnapshotFile], code: Iterable[SnapshotFile]
) -> list[FileChange]:
    """Return the code files that differ between a packed snapshot and now, sorted by path.

    `files` are the files of a snapshot made now, `code` those that determine results.
    """
    now = {file.path: file for file in code if file.kind != "folder"}
    before: dict[str, str] = {}
    with tarfile.open(tar_path) as tar:
        for entry in tar:
            if entry.uname == MARK:
                continue
            content = tar.extractfile(entry) if entry.isfile() else None
            if content is not None:
                executable = "x" if entry.mode & 0o100 else "-"
                before[entry.name] = executable + hashlib.sha256(content.read()).hexdigest()
            elif entry.issym():
                before[entry.name] = f"-> {entry.linkname}"
    gone = before.keys() - {file.path for file in files}
    changes = [
        FileChange(path=path, how="removed")
        for path in gone
        if not is_document(path) and not is_byproduct(path)
    ]
    for path, file in now.items():
        if path not in before:
            changes.append(FileChange(path=path, how="new", source=file.source))
        elif before[path] != _content(file):
            changes.append(FileChange(path=path, how="changed", source=file.source))
    return sorted(changes)


def _content(file: SnapshotFile) -> str:
    if file.kind == "link":
        return f"-> {file.link}"
    return ("x" if file.mode & 0o100 else "-") + file.sha256


def short_diff(tar_path: Path, change: FileChange) -> list[str]:
    """Return the first changed rows of a source, each with - or +; empty for any other file."""
    if change.how != "changed" or not is_source(change.path):
        return []
    try:
        with tarfile.open(tar_path) as tar:
            content = tar.extractfile(change.path)
            old = content.read(LARGEST + 1) if content is not None else b""
        with Path(change.source).open("rb") as stream:
            new = stream.read(LARGEST + 1)
    except (OSError, KeyError, tarfile.TarError):
        return []
    if max(len(old), len(new)) > LARGEST or b"\0" in old + new:
        return []
    before, after = (text.decode("utf-8", "replace").splitlines() for text in (old, new))
    rows = [
        row[:ROW]
        for row in difflib.unified_diff(before, after, n=0, lineterm="")
        if not row.startswith(("---", "+++", "@@")) and row[1:].strip()
    ]
    more = len(rows) - DIFF_ROWS
    return rows[:DIFF_ROWS] + ([f"... and {more} more changed lines"] if more > 0 else [])
