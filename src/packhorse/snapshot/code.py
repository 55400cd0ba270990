"""The files of a snapshot that are code, and their digest."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from msgspec import Struct

from packhorse.snapshot.kinds import is_byproduct

DOCUMENTS = {".md", ".rst", ".ipynb", ".pdf", ".doc", ".docx", ".odt", ".ppt", ".pptx", ".tex", ".bib"}
NAMED_DOCUMENTS = {
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "readme",
    "changelog",
    "citation.cff",
}
NAMED_DOCUMENTS |= {".gitignore", ".gitattributes", ".editorconfig", ".mailmap"}
NAMED_DOCUMENTS |= {"packhorse-lock.txt"}  # its packages are part of the environment's digest
SITES_FOLDER = (
    "packhorse-sites"  # in a project; no valid name of a Python package, and results do not depend on it
)
STUDY_KEYS = {
    *("name", "command", "shell", "function", "parameters", "replicates", "seed", "seeding", "resources"),
    *(
        "result",
        "directory",
        "partial",
        "artifacts",
        "code",
        "include",
        "data",
        "inputs",
        "env",
        "environment",
        "checks",
        "summary",
        "expect",
        "combine",
    ),
    *("time_limit", "retries", "checkpoint", "warm", "index_variable", "sites", "defaults", "cluster"),
}


class SnapshotFile(Struct, frozen=True, kw_only=True):
    """One file, link or empty folder of a snapshot, or a mark of the project's root, which is in no digest."""

    path: str  # relative to the root
    source: str  # absolute path
    kind: Literal["file", "link", "folder", "mark"] = "file"
    mode: int = 0o644
    size: int = 0
    mtime: int = 0
    link: str = ""
    sha256: str = ""  # of a file's bytes
    content: bytes = b""  # of a mark


def code_digest(
    files: Iterable[SnapshotFile], *, command: str, result: str, apart: Iterable[str] = ()
) -> str:
    """Return a digest (16 hexadecimal digits) of all that determines a result: command, result and code files.

    Study files, documents, notebooks, logs and files of editors do not count unless the command names them.
    `apart` are further paths, relative to the root, that do not count (the study, and files with its parameters).
    """
    return digest(code_files(files, command, apart), command, result)


def code_files(files: Iterable[SnapshotFile], command: str, apart: Iterable[str] = ()) -> list[SnapshotFile]:
    """Return the files that determine a result; `apart` are paths that do not."""
    excluded = set(apart)
    return [file for file in files if file.path not in excluded and _is_code(file, command)]


def is_document(path: str) -> bool:
    """Return whether a path names a document, which does not determine a result."""
    name = posixpath.basename(path).lower()
    stem, suffix = posixpath.splitext(name)
    return suffix in DOCUMENTS or name in NAMED_DOCUMENTS or (suffix == ".txt" and stem in NAMED_DOCUMENTS)


def _is_code(file: SnapshotFile, command: str) -> bool:
    if posixpath.basename(file.path) in command:
        return True
    if (
        is_document(file.path)
        or is_byproduct(file.path)
        or posixpath.basename(posixpath.dirname(file.path)) == SITES_FOLDER
    ):
        return False
    suffix = posixpath.splitext(file.path.lower())[1]
    return not (suffix in (".yaml", ".yml") and file.kind == "file" and _is_study(Path(file.source)))


def _is_study(path: Path) -> bool:
    """Return whether a YAML file is a study, from its top-level keys."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return False
    keys = {key.strip("'\"") for key in re.findall(r"^([^\s#:\-%][^:\n]*?)\s*:(?:\s|$)", text, re.MULTILINE)}
    return bool(keys & {"command", "function"}) and keys <= STUDY_KEYS


def digest(files: Iterable[SnapshotFile], *texts: str) -> str:
    """Return a digest (16 hexadecimal digits) of texts, and of names, bytes, link targets and x bits of files."""
    total = hashlib.sha256(repr(texts).encode("utf-8", "backslashreplace"))
    for file in sorted(files, key=lambda file: file.path):
        if file.kind in ("file", "link"):
            executable = "x" if file.kind == "file" and file.mode & 0o100 else "-"
            content = file.sha256 or f"-> {file.link}"
            total.update(
                b"\0".join((os.fsencode(file.path), executable.encode(), os.fsencode(content), b"\n"))
            )
    return total.hexdigest()[:16]


def printable(path: str) -> str:
    """Return a path as printable UTF-8, with bytes that are not UTF-8 as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
